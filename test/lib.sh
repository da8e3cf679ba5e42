# test/lib.sh: what the demo and the tests need around them (bash, sourced)
#
#   need_packages     installs what is missing, and nothing when nothing is
#   build_and_install builds this tree and installs it for $PG_CONFIG
#   cluster_start     starts a throw-away server on a private socket
#
# Invariants a maintainer must keep:
# - What is there is judged by using it (a header compiles, a module loads);
#   with everything there, no network and no root are needed.
# - The system's own clusters are neither used nor created nor stopped.
# - Whatever is made here is gone when the script ends, also after a failure
#   or a signal: register its removal with at_exit before it is made.
# - A command that a signal could outlive runs in_group.
# - Server programs come from $PG_CONFIG --bindir, never from the PATH as it
#   was found.
#
# Copyright (c) 2026, the vidtoken authors

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 1

# A caller's connection, pager, language or outer make must not reach in.
for name in "${!PG@}"; do
    [ "$name" = PG_CONFIG ] || unset "$name"
done
unset name PSQL_PAGER LANGUAGE MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C.UTF-8 PAGER=cat
umask 022
# Where standard input is closed, the next file opened would take its place.
{ : <&0; } 2>/dev/null || exec </dev/null
: "${PG_CONFIG:=pg_config}"
export PG_CONFIG

#
# The end of a script
#

exit_tasks=()       # commands for the end, the youngest first
child=              # the process group that the script waits for
child_signal=TERM   # what ends it early; 0 lets it come to its own end

# at_exit COMMAND: runs COMMAND when the script ends, however it ends.
at_exit() {
    exit_tasks=("$1" ${exit_tasks[@]+"${exit_tasks[@]}"})
}

run_exit_tasks() {
    local status=$? task

    trap '' INT TERM HUP
    end_child
    for task in ${exit_tasks[@]+"${exit_tasks[@]}"}; do
        eval "$task"
    done
    exit "$status"
}

trap run_exit_tasks EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# in_group SIGNAL COMMAND...: runs COMMAND in a process group of its own, so
# that a signal to this script is acted upon at once, and acts on the whole of
# COMMAND. A command that may read the terminal has to stay in the foreground.
in_group() {
    local status

    if [ -t 0 ]; then
        "${@:2}"
        return
    fi
    child_signal=$1
    set -m
    "${@:2}" &
    child=$!
    set +m
    wait "$child"
    status=$?
    child=
    return "$status"
}

# Waits for all of the group: what a test started may itself have a server to
# remove.
end_child() {
    local tries=0

    [ -n "$child" ] || return 0
    kill "-$child_signal" -- "-$child" 2>/dev/null
    wait "$child" 2>/dev/null
    while [ "$child_signal" != 0 ] && [ "$tries" -lt 300 ] &&
        kill -0 -- "-$child" 2>/dev/null; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ "$tries" -lt 300 ] || kill -KILL -- "-$child" 2>/dev/null
    child=
}

die() {
    printf 'vidtoken: %s\n' "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# quietly COMMAND...: shows what COMMAND prints only when it fails.
quietly() {
    local output status

    output=$("$@" 2>&1 </dev/null 9<&-)
    status=$?
    [ "$status" = 0 ] || printf '%s\n' "$output" >&2
    return "$status"
}

# locked COMMAND...: two scripts may start at once; what they do to the
# checkout or to the machine they do in turn.
locked() {
    local status

    exec 9<"$root/Makefile"
    flock 9
    "$@"
    status=$?
    exec 9<&-
    return "$status"
}

# as_root COMMAND...: 127 when this user cannot become root. sudo may ask for
# a password only where somebody is there to type it.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && { sudo -n true || : </dev/tty; } 2>/dev/null; then
        sudo "$@"
    else
        return 127
    fi
}

#
# Counts
#

passed=0
failed=0
skipped=0

# suite NAME FUNCTION ARGUMENT...: runs FUNCTION, which counts, and prints only
# what somebody has to read. Uses the directory $work.
suite() {
    local had=$((passed + failed + skipped)) had_passed=$passed ran
    local had_failed=$failed had_skipped=$skipped start=$SECONDS

    printf '%-10s ' "$1"
    "${@:2}" >"$work/report" 2>&1 </dev/null
    ran=$((passed + failed + skipped - had))
    if [ "$ran" = 0 ]; then
        failed=$((failed + 1))
        echo "no test was run" >>"$work/report"
    fi
    printf '%4d of %d ok' $((passed - had_passed)) "$ran"
    [ "$skipped" = "$had_skipped" ] ||
        printf ', %d skipped' $((skipped - had_skipped))
    [ "$failed" = "$had_failed" ] ||
        printf ', %d FAILED' $((failed - had_failed))
    printf '  (%d s)\n' $((SECONDS - start))
    sed 's/^/    /' "$work/report"
}

# count OUTPUT STATUS: adds up what a test program reported: TAP at the left
# margin (pg_regress does so since 16) or the lines of an older pg_regress. A
# program that failed without a failed test, say for a wrong plan, is one.
count() {
    local p f s

    read -r p f s < <(awk '
        /^ok / { if (/# *[Ss][Kk][Ii][Pp]/) s++; else p++ }
        /^not ok / { if (/# *[Tt][Oo][Dd][Oo]/) p++; else f++ }
        /^1\.\.0 .*[Ss][Kk][Ii][Pp]/ { s++ }
        /^(test |  ).* \.\.\. ok/ { p++ }
        /^(test |  ).* \.\.\. FAILED/ { f++ }
        END { print p + 0, f + 0, s + 0 }' "$1")
    [ "$2" = 0 ] || [ "$f" != 0 ] || f=1
    [ "$2" != 124 ] || echo 'stopped, for it took too long'
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
    [ "$f" != 0 ]
}

# count_total OUTPUT STATUS: the same for one that ends as finish does. One
# that did not come to that line has failed.
count_total() {
    local p f s

    read -r p f s < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, '\
'([0-9]+) skipped)?$/\1 \2 \4/p' "$1" | tail -n 1)
    [ "$2" = 0 ] && [ -n "$p" ] || [ "${f:-0}" != 0 ] || f=1
    passed=$((passed + ${p:-0}))
    failed=$((failed + ${f:-0}))
    skipped=$((skipped + ${s:-0}))
    [ "${f:-0}" != 0 ]
}

# The last line, and the exit code.
finish() {
    printf '%d passed, %d failed' "$passed" "$failed"
    [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
    echo
    [ "$failed" = 0 ]
    exit
}

#
# Packages
#

# Debian's pg_config may be there and have nothing to tell.
has_pg_config() {
    "$PG_CONFIG" --version >/dev/null 2>&1
}

# Prints the major version of the server in use, or N when only the package
# lists could tell and they do not.
pg_major() {
    local major

    if has_pg_config; then
        major=$("$PG_CONFIG" --version |
            sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
    elif [[ $PG_CONFIG =~ /postgresql/([0-9]+)/bin/pg_config$ ]]; then
        major=${BASH_REMATCH[1]}
    elif major=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null); then
        major=$(cut -d/ -f5 <<<"$major" | sort -n | tail -n 1)
    elif have apt-cache; then
        major=$(apt-cache depends postgresql 2>/dev/null |
            sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | tail -n 1)
    fi
    printf '%s\n' "${major:-N}"
}

has_header() {
    have gcc && echo "#include <$1>" | gcc -E -x c - >/dev/null 2>&1
}

# What vidtoken-keyring uses is not in the perl that every Debian has.
have_perl() {
    perl -MJSON::PP -MMIME::Base64 -MGetopt::Long -e 1 >/dev/null 2>&1
}

# has_file OPTION NAME: whether NAME is in the directory that pg_config says.
has_file() {
    has_pg_config && [ -e "$("$PG_CONFIG" "$1")/$2" ]
}

missing_for_build() {
    local major

    major=$(pg_major)
    have make || echo make
    have_perl || echo perl
    have gcc || echo gcc
    has_header stdlib.h || echo libc6-dev
    has_header openssl/evp.h || echo libssl-dev
    has_file --includedir-server postgres.h &&
        has_file --pkglibdir pgxs/src/makefiles/pgxs.mk ||
        echo "postgresql-server-dev-$major"
    has_file --bindir initdb && has_file --bindir postgres &&
        has_file --bindir psql || echo "postgresql-$major"
}

missing_for_test() {
    has_file --sharedir extension/pgtap.control ||
        echo "postgresql-$(pg_major)-pgtap"
    have pg_prove || echo libtap-parser-sourcehandler-pgtap-perl
    have prove || echo perl
    have openssl || echo openssl
    find_python ||
        printf '%s\n' python3-cryptography python3-jwt python3-psycopg2
}

# PYTHON is the first python3 that has the modules of the tests: the one on
# the PATH need not be the one that Debian's packages are for.
find_python() {
    for PYTHON in python3 /usr/bin/python3; do
        if "$PYTHON" -c 'import cryptography, jwt, psycopg2' \
            >/dev/null 2>&1; then
            export PYTHON
            return 0
        fi
    done
    return 1
}

# apt_install PACKAGE...: a new postgresql-N would create and start a cluster
# "main"; it is told not to for as long as the installation runs.
apt_install() {
    local dir=/etc/postgresql-common/createcluster.d
    local file=$dir/vidtoken-no-cluster.conf
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y
        -o DPkg::Lock::Timeout=300)

    printf 'Installing: %s\n' "$*" >&2
    case " $*" in *\ postgresql-*)
        at_exit "remove_no_cluster $dir $file"
        as_root mkdir -p "$dir" &&
            as_root sh -c "echo 'create_main_cluster = false' >'$file'" ||
            return
        ;;
    esac
    quietly as_root "${apt[@]}" --no-install-recommends install "$@"
    local status=$?
    remove_no_cluster "$dir" "$file"
    return "$status"
}

remove_no_cluster() {
    [ ! -e "$2" ] || as_root rm -f "$2"
    # The directories are ours only as long as no package owns them.
    [ -e "$1" ] && ! dpkg -S "$1" >/dev/null 2>&1 || return 0
    as_root rmdir -p "$1" 2>/dev/null || true
}

# A list that cannot be fetched may still have what is asked of it.
apt_update() {
    have apt-get && as_root true 2>/dev/null || return
    [ -z "${apt_updated-}" ] || return 0
    apt_updated=1
    quietly as_root apt-get -q -o DPkg::Lock::Timeout=300 update || true
}

# need_packages KIND...: KIND is build or test. Fails, naming the packages,
# when something is missing and cannot be installed.
need_packages() {
    locked install_missing "$@" || return
    PG_CONFIG=$(command -v "$PG_CONFIG")
    bindir=$("$PG_CONFIG" --bindir)
    PATH=$bindir:$PATH
}

install_missing() {
    local kind missing

    for kind; do
        missing=$("missing_for_$kind")
        [ -n "$missing" ] || continue
        if apt_update; then
            missing=$("missing_for_$kind")
            apt_install $missing
            missing=$("missing_for_$kind")
        fi
        if [ -n "$missing" ]; then
            echo "vidtoken: missing, and not to be installed from here:" \
                $missing >&2
            return 1
        fi
    done
    if [[ " $* " = *" test "* ]]; then
        find_python
        want_clang
        want_pgbouncer
        want_drivers
        want_nginx
        want_node_packages
    fi
    return 0
}

# The tests that need clang, pgbouncer, nginx or a package of node say "skipped"
# where it is not.
want_clang() {
    have clang || { apt_update && apt_install clang; } || true
}

want_pgbouncer() {
    PATH=$PATH:/usr/sbin have pgbouncer ||
        { apt_update && install_stopped pgbouncer; } || true
}

want_nginx() {
    PATH=$PATH:/usr/sbin have nginx ||
        { apt_update && install_stopped nginx; } || true
}

# install_stopped PACKAGE: the program alone is wanted, not the service that
# Debian would start, now and with the machine.
policy_made=

install_stopped() {
    local policy=/usr/sbin/policy-rc.d status

    if [ ! -e "$policy" ]; then
        at_exit remove_policy
        policy_made=$policy
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy &&
            chmod 755 $policy" || return
    fi
    apt_install "$1"
    status=$?
    remove_policy
    [ "$status" != 0 ] || quietly as_root update-rc.d "$1" disable || true
    return "$status"
}

remove_policy() {
    [ -z "$policy_made" ] || as_root rm -f "$policy_made"
    policy_made=
}

# The drivers of doc/drivers.md; that of Java is of no use without a JDK.
want_drivers() {
    local missing=()

    "$PYTHON" -c 'import psycopg' >/dev/null 2>&1 ||
        missing+=(python3-psycopg)
    ! have javac || [ -e /usr/share/java/postgresql.jar ] ||
        missing+=(libpostgresql-jdbc-java)
    [ ${#missing[@]} = 0 ] || { apt_update && apt_install "${missing[@]}"; } ||
        true
}

# The packages of npm that tests drive, the SDKs as they were when the tests'
# lists of differences were written.
node_packages=(pg@8 twilio@6.2.0 livekit-server-sdk@2.19.2 jose@5.10.0)

# Prints those that node does not load.
missing_for_node() {
    have node || { printf '%s\n' "${node_packages[@]}" && return; }
    node -e '
        for (const spec of process.argv.slice(1))
            try { require(spec.replace(/@[^@]*$/, "")); }
            catch { console.log(spec); }' "${node_packages[@]}" 2>/dev/null
}

# Debian has node-pg alone of them, and a node that is not Debian's keeps that
# from being installed: what is missing then, npm puts beside the build.
want_node_packages() {
    local missing

    export NODE_PATH=$root/build/node/node_modules
    NODE_PATH+=:/usr/share/nodejs:/usr/lib/nodejs
    missing=$(missing_for_node)
    [ -n "$missing" ] || return 0
    if [[ $missing = pg@* ]] && apt_update &&
        apt-get -s -q install nodejs node-pg >/dev/null 2>&1; then
        apt_install nodejs node-pg
        missing=$(missing_for_node)
    fi
    if [ -n "$missing" ] && have node && have npm; then
        npm_install "$root/build/node" $missing
        missing=$(missing_for_node)
    fi
    [ -z "$missing" ] || echo 'Not to be had for node:' $missing >&2
}

# want_chromium: what drives a browser comes with it; the tests in a browser
# say "skipped" where one of them is not.
want_chromium() {
    have chromium || { apt_update && apt_install chromium; } || true
    VIDTOKEN_CHROMIUM=$(command -v chromium)
    export VIDTOKEN_CHROMIUM
    node_packages+=(playwright-core@1.64.1 livekit-client@2.23.0
        typescript@5.9.3)
    want_node_packages
}

# want_go: the livekit-server of test/livekit, which go builds, minutes long
# the first time; the tests of a call say "skipped" where it is not.
want_go() {
    export VIDTOKEN_LIVEKIT_SERVER=$root/build/livekit/livekit-server
    have go || return 0
    [ "$VIDTOKEN_LIVEKIT_SERVER" -nt "$root/test/livekit/go.sum" ] ||
        locked build_livekit || echo 'livekit-server could not be built' >&2
}

build_livekit() {
    local try status

    echo 'Building: livekit-server (go)' >&2
    rm -f "$VIDTOKEN_LIVEKIT_SERVER"
    mkdir -p "${VIDTOKEN_LIVEKIT_SERVER%/*}"
    # What go has fetched and compiled stays when a connection is lost.
    for try in 1 2 3; do
        (cd "$root/test/livekit" &&
            quietly timeout 1800 nice -n 10 go build \
                -o "$VIDTOKEN_LIVEKIT_SERVER" \
                github.com/livekit/livekit-server/cmd/server)
        status=$?
        [ "$status" != 0 ] || break
    done
    give_back "$root/build"
    return "$status"
}

# npm_install DIRECTORY PACKAGE...: npm takes away what is in DIRECTORY and
# was not asked for again.
npm_install() {
    local dir=$1 spec

    shift
    printf 'Installing: %s (npm)\n' "$*" >&2
    for spec in "${node_packages[@]}"; do
        [ ! -e "$dir/node_modules/${spec%@*}" ] || set -- "$@" "$spec"
    done
    mkdir -p "$dir" && quietly npm --prefix "$dir" install --silent \
        --no-audit --no-fund --no-save --ignore-scripts \
        --fetch-timeout=60000 --fetch-retries=1 \
        --fetch-retry-mintimeout=1000 "$@"
    give_back "$root/build"
}

#
# Build and installation
#

# Sets make_flags. Bitcode is left out where its compiler is.
find_make_flags() {
    local clang

    make_flags=(-s PG_CONFIG="$PG_CONFIG")
    clang=$(sed -n 's/^CLANG *= *//p' \
        "$(dirname "$("$PG_CONFIG" --pgxs)")/../Makefile.global")
    [ -z "$clang" ] || have "$clang" || make_flags+=(with_llvm=no)
}

build_and_install() {
    local status

    find_make_flags
    locked build_then_install
    status=$?
    give_back "$root"
    return "$status"
}

build_then_install() {
    quietly make "${make_flags[@]}" -C "$root" -j"$(nproc)" all &&
        install_built
}

install_built() {
    local install=(make "${make_flags[@]}" -C "$root" install)

    if [ -w "$("$PG_CONFIG" --pkglibdir)" ]; then
        quietly "${install[@]}"
    elif as_root true; then
        quietly as_root "${install[@]}"
    elif ! installed_is_built; then
        echo "vidtoken: not installed, and this user cannot become root;" \
            "run as root: make install PG_CONFIG=$PG_CONFIG" >&2
        return 1
    fi
}

# Whether the files in place are already those that were built.
installed_is_built() {
    local stage status=0 file

    stage=$(mktemp -d /tmp/vidtoken.XXXXXX) || return
    quietly make "${make_flags[@]}" -C "$root" install DESTDIR="$stage" ||
        status=1
    while IFS= read -r -d '' file; do
        cmp -s "$file" "${file#"$stage"}" || status=1
    done < <(find "$stage" -type f -print0)
    rm -rf "$stage"
    return "$status"
}

# copy_tree DIRECTORY: without Git's store and what a build left behind.
copy_tree() {
    mkdir "$1" &&
        tar -C "$root" --exclude=./.git --exclude='*.o' --exclude='*.bc' \
            --exclude='*.so' --exclude=./results --exclude=./build \
            --exclude='./regression.*' -cf - . |
        tar -C "$1" --no-same-owner -xf -
}

# give_back DIRECTORY: root leaves no file of its own in another's checkout.
give_back() {
    [ "$(id -u)" = 0 ] && [ "$(stat -c %u "$root")" != 0 ] || return 0
    find "$1" -path "$root/.git" -prune -o -user 0 \
        -exec chown -h --reference="$root" {} +
}

#
# A throw-away server
#

# as_server COMMAND...: runs COMMAND as the user that owns the server, from a
# directory that this user can read.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid="$VIDTOKEN_SERVER_USER" \
            --regid="$(id -g "$VIDTOKEN_SERVER_USER")" --init-groups "$@")
    else
        (cd / && exec "$@")
    fi
}

# cluster_start [NAME=VALUE...]: starts a server with these settings, removed
# at the end of the script. Exports what a client and a test must know. The
# directory is the server's alone, which is why its socket may trust everyone
# who can reach it. fsync is off unless asked for: nothing here outlives a
# crash.
cluster_start() {
    VIDTOKEN_SERVER_USER=$(id -un)
    if [ "$(id -u)" = 0 ]; then
        VIDTOKEN_SERVER_USER=postgres
        id postgres >/dev/null 2>&1 || VIDTOKEN_SERVER_USER=nobody
    fi
    cluster_dir=
    at_exit cluster_remove
    cluster_dir=$(mktemp -d /tmp/vidtoken.XXXXXX) || return
    chown "$VIDTOKEN_SERVER_USER" "$cluster_dir" || return
    export VIDTOKEN_SERVER_USER
    cluster_environment "$cluster_dir"
    in_group 0 cluster_initdb >"$cluster_dir/start.log" 2>&1 </dev/null &&
        cluster_configure "$@" &&
        in_group 0 cluster_ctl start >"$cluster_dir/start.log" 2>&1 \
            </dev/null && return
    cat "$cluster_dir/start.log" >&2
    tail -n 30 "$VIDTOKEN_LOG" >&2 2>/dev/null
    echo 'vidtoken: the throw-away server did not start' >&2
    return 1
}

cluster_environment() {
    export VIDTOKEN_PGDATA=$1/data VIDTOKEN_LOG=$1/log
    export PGHOST=$1 PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

cluster_initdb() {
    as_server "$bindir/initdb" -D "$VIDTOKEN_PGDATA" -U postgres -A trust \
        -E UTF8 --locale=C.UTF-8 --no-sync
}

cluster_configure() {
    local setting

    for setting in listen_addresses= "unix_socket_directories=$cluster_dir" \
        unix_socket_permissions=0700 shared_buffers=32MB timezone=UTC \
        fsync=off "$@"; do
        printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
    done | as_server tee -a "$VIDTOKEN_PGDATA/postgresql.conf" >/dev/null
}

# cluster_ctl ARGUMENT...: pg_ctl for the server of this environment.
cluster_ctl() {
    as_server "$bindir/pg_ctl" -D "$VIDTOKEN_PGDATA" -l "$VIDTOKEN_LOG" \
        -w -t 60 "$@"
}

cluster_remove() {
    [ -n "$cluster_dir" ] || return 0
    [ ! -e "$VIDTOKEN_PGDATA/postmaster.pid" ] ||
        cluster_ctl stop -m immediate >/dev/null 2>&1
    rm -rf "$cluster_dir"
    cluster_dir=
}
