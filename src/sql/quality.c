/*-------------------------------------------------------------------------
 *
 * quality.c
 *	  vidtoken_report_quality: what a client sees of its connection
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/quality.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "policy/refusal.h"
#include "policy/request_user.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "sql/metrics.h"
#include "storage/ledger.h"
#include "storage/quality.h"
#include "storage/session.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(vidtoken_report_quality);
PG_FUNCTION_INFO_V1(vidtoken_report_quality_of);

#define MAX_QUALITY 5

static void report(FunctionCallInfo fcinfo, char *user_id, int first);
static int	quality_argument(FunctionCallInfo fcinfo, int number);

/*
 * vidtoken_report_quality(appointment_id, quality, metrics): of the caller
 */
Datum
vidtoken_report_quality(PG_FUNCTION_ARGS)
{
	vidtoken_require_argument(fcinfo, 0, "appointment_id");
	report(fcinfo, vidtoken_request_user(), 1);
	PG_RETURN_VOID();
}

/*
 * vidtoken_report_quality(appointment_id, user_id, quality, metrics)
 */
Datum
vidtoken_report_quality_of(PG_FUNCTION_ARGS)
{
	report(fcinfo, vidtoken_user_argument(fcinfo), 2);
	PG_RETURN_VOID();
}

/*
 * report: for a participant whom the caller sees and who has a session
 *
 * "first" is the number of the argument quality; metrics follow it.
 */
static void
report(FunctionCallInfo fcinfo, char *user_id, int first)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	int			quality = quality_argument(fcinfo, first);
	Jsonb	   *metrics = PG_ARGISNULL(first + 1) ? NULL :
	PG_GETARG_JSONB_P(first + 1);
	VidTokenAppointment appointment;
	VidTokenSession session;
	bool		has_session;

	if (metrics != NULL)
		vidtoken_metrics_check(metrics);
	vidtoken_ledger_require();
	vidtoken_appointment_read(appointment_id, user_id, &appointment);
	has_session = vidtoken_session_read(&appointment, &session);
	if (session.revoked)
		vidtoken_refuse(VIDTOKEN_REVOKED);
	/* Names that somebody took out of the row come with the next token. */
	if (!has_session || session.room_name == NULL ||
		session.user_identity == NULL)
		vidtoken_refuse(VIDTOKEN_NO_SESSION);
	vidtoken_quality_record(vidtoken_provider, session.room_name,
							session.user_identity, quality, metrics,
							vidtoken_now());
}

static int
quality_argument(FunctionCallInfo fcinfo, int number)
{
	int			quality;

	vidtoken_require_argument(fcinfo, number, "quality");
	quality = PG_GETARG_INT32(number);
	if (quality < 0 || quality > MAX_QUALITY)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("quality must be between 0 and %d", MAX_QUALITY),
				errdetail("It is %d.", quality),
				errhint("5 is excellent, 3 and 4 are good, 1 and 2 are poor, 0 is lost."));
	return quality;
}
