# vidtoken: video-call access tokens next to the appointments table
#
# make             builds against $(PG_CONFIG), PostgreSQL 13 to 18
# make install     installs the library, the SQL script and vidtoken-keyring
# make installcheck  runs test/sql and test/specs against a running server
# make demo        shows the main job on a throw-away server
# make test        runs every suite on a throw-away server
# make test-matrix  runs them on PostgreSQL 13, 15, 17 and 18, in chroots
# make test-e2e    runs back end, client, page and real calls in a browser
# make indent      formats the C files as PostgreSQL does

MODULE_big = vidtoken
OBJS = \
	src/vidtoken.o \
	src/crypto/crypto.o \
	src/crypto/jwk.o \
	src/crypto/jwk_load.o \
	src/crypto/jws.o \
	src/crypto/pkey.o \
	src/crypto/pkey_check.o \
	src/crypto/pkey_load.o \
	src/ground/base64.o \
	src/ground/base64url.o \
	src/ground/claims.o \
	src/ground/form_reader.o \
	src/ground/guarded.o \
	src/ground/json_escape.o \
	src/ground/json_reader.o \
	src/ground/json_value.o \
	src/ground/json_writer.o \
	src/ground/time_reader.o \
	src/policy/key_set.o \
	src/policy/keyring.o \
	src/policy/keyring_file.o \
	src/policy/policy.o \
	src/policy/refusal.o \
	src/policy/request_user.o \
	src/policy/room_name.o \
	src/policy/settings.o \
	src/provider/jwt.o \
	src/provider/livekit.o \
	src/provider/livekit_webhook.o \
	src/provider/provider.o \
	src/provider/room_limits.o \
	src/provider/twilio.o \
	src/provider/twilio_webhook.o \
	src/provider/webhook.o \
	src/sql/argument.o \
	src/sql/check.o \
	src/sql/check_keys.o \
	src/sql/check_webhooks.o \
	src/sql/current_room.o \
	src/sql/grant.o \
	src/sql/headers.o \
	src/sql/inspect.o \
	src/sql/issue.o \
	src/sql/metrics.o \
	src/sql/quality.o \
	src/sql/report.o \
	src/sql/result.o \
	src/sql/revoke.o \
	src/sql/room_settings.o \
	src/sql/sign.o \
	src/sql/status.o \
	src/sql/verify.o \
	src/sql/webhook.o \
	src/storage/appointment.o \
	src/storage/bar.o \
	src/storage/call.o \
	src/storage/call_state.o \
	src/storage/diagnosis.o \
	src/storage/key.o \
	src/storage/key_usage.o \
	src/storage/ledger.o \
	src/storage/ledger_tables.o \
	src/storage/notice.o \
	src/storage/plan.o \
	src/storage/prune.o \
	src/storage/quality.o \
	src/storage/room.o \
	src/storage/session.o \
	src/storage/source.o \
	src/storage/source_entry.o \
	src/storage/source_row.o

EXTENSION = vidtoken
DATA = sql/vidtoken--1.0.sql
SCRIPTS = src/bin/vidtoken-keyring

# The server's headers are system headers to the compiler, so that -Wextra
# speaks of our own lines only.
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)
SHLIB_LINK = -lcrypto

REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=$(srcdir)/test

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

# PostgreSQL 13 does not install the program that runs specs.
ifneq ($(wildcard $(dir $(PGXS))../test/isolation/pg_isolation_regress),)
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test --outputdir=.
endif

# demo and the tests come to install what is missing, PGXS included.
ifneq ($(filter demo test test-matrix test-e2e,$(MAKECMDGOALS)),)
-include $(PGXS)
else
include $(or $(PGXS),$(error $(PG_CONFIG) does not work: install postgresql-server-dev-NN or set PG_CONFIG))
endif

# A wildcard without a match would pass with nothing run.  The files are asked
# for, so that REGRESS= or ISOLATION= can leave one kind out.
$(if $(wildcard test/sql/*.sql),,$(error test/sql holds no test))
$(if $(wildcard test/specs/*.spec),,$(error test/specs holds no test))

# PGXS tracks no header dependencies.
$(OBJS): $(wildcard src/*.h src/*/*.h)

.PHONY: demo test test-matrix test-e2e indent

demo:
	@PG_CONFIG='$(PG_CONFIG)' examples/demo/run

test:
	@PG_CONFIG='$(PG_CONFIG)' test/run

test-matrix:
	@test/matrix

test-e2e:
	@PG_CONFIG='$(PG_CONFIG)' test/e2e/run

# pg_bsd_indent (Debian's pg-bsd-indent) with the options of pgindent, which
# also takes back the tabs before the star of a function's result.
SOURCES = $(wildcard src/*.[ch] src/*/*.[ch])

indent:
	for file in $(SOURCES); do \
	    pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 \
	        -nfc1 -i4 -l79 -lp -lpl -nip -npro -sac -tpg -ts4 \
	        -Utypedefs.list $$file $$file.new && \
	    sed -i 's/^\([A-Za-z_][A-Za-z_ ]*[A-Za-z_]\)[[:space:]]*\*$$/\1 */' $$file.new && \
	    mv $$file.new $$file || exit 1; \
	done
