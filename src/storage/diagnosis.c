/*-------------------------------------------------------------------------
 *
 * diagnosis.c
 *	  what the catalogs tell of an installation
 *
 * For vidtoken_check(): read as the caller, and not fast.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/diagnosis.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/diagnosis.h"

#define EQUALS " OPERATOR(pg_catalog.=) "

/* Objects of the extension, as "d" of pg_depend joined to "e" */
#define MEMBERS(catalog) \
	" pg_catalog.pg_extension AS e JOIN pg_catalog.pg_depend AS d" \
	" ON d.refclassid" EQUALS "'pg_catalog.pg_extension'::pg_catalog.regclass" \
	" AND d.refobjid" EQUALS "e.oid AND e.extname" EQUALS "'vidtoken'" \
	" AND d.classid" EQUALS "'pg_catalog." catalog "'::pg_catalog.regclass"

/* The ledger's tables, as "c" of pg_class */
#define LEDGER_TABLES \
	MEMBERS("pg_class") \
	" JOIN pg_catalog.pg_class AS c ON c.oid" EQUALS "d.objid" \
	" AND c.relkind" EQUALS "'r'"

/* Does what a relation reads follow the rights of its owner? */
#define READ_BY_OWNER(relation) \
	"(" relation ".relkind" EQUALS "'m' OR (" relation ".relkind" EQUALS "'v'" \
	" AND NOT EXISTS (SELECT 1" \
	" FROM pg_catalog.pg_options_to_table(" relation ".reloptions) AS o" \
	" WHERE o.option_name" EQUALS "'security_invoker'" \
	" AND o.option_value::pg_catalog.bool)))"

static char *one_text(const char *query, Oid argument);

/*
 * vidtoken_diagnose_version: that of the SQL objects
 */
char *
vidtoken_diagnose_version(void)
{
	return one_text("SELECT e.extversion FROM pg_catalog.pg_extension AS e"
					" WHERE e.extname" EQUALS "'vidtoken'", InvalidOid);
}

/*
 * vidtoken_diagnose_settings: names of settings that are stored for this
 * database or role and not in force, because their name or value is refused
 * or the session is older, or NULL
 */
char *
vidtoken_diagnose_settings(void)
{
	return one_text("SELECT pg_catalog.string_agg(DISTINCT c.name, ', ')"
					" FROM pg_catalog.pg_db_role_setting AS d"
					" CROSS JOIN LATERAL (SELECT pg_catalog.split_part(u, '=', 1)"
					" FROM pg_catalog.unnest(d.setconfig) AS u) AS c(name)"
					" WHERE (d.setdatabase" EQUALS "0 OR d.setdatabase" EQUALS
					"(SELECT b.oid FROM pg_catalog.pg_database AS b"
					" WHERE b.datname" EQUALS "pg_catalog.current_database()))"
					" AND (d.setrole" EQUALS "0 OR d.setrole" EQUALS
					"(SELECT r.oid FROM pg_catalog.pg_roles AS r"
					" WHERE r.rolname" EQUALS "SESSION_USER))"
					" AND pg_catalog.starts_with(c.name, 'vidtoken.')"
					" AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_settings AS s"
					" WHERE s.name" EQUALS "c.name"
					" AND s.source OPERATOR(pg_catalog.<>) 'default')", InvalidOid);
}

/*
 * vidtoken_diagnose_rls: tables with row-level security that a view reads as
 * its owner and not as the caller, or NULL
 */
char *
vidtoken_diagnose_rls(Oid relation)
{
	return one_text("WITH RECURSIVE below(oid, by_owner) AS ("
					"SELECT c.oid, " READ_BY_OWNER("c")
					" FROM pg_catalog.pg_class AS c WHERE c.oid" EQUALS "$1"
					" UNION SELECT c.oid, b.by_owner OR " READ_BY_OWNER("c")
					" FROM below AS b"
					" JOIN pg_catalog.pg_rewrite AS w ON w.ev_class" EQUALS "b.oid"
					" JOIN pg_catalog.pg_depend AS d ON d.objid" EQUALS "w.oid"
					" AND d.classid" EQUALS "'pg_catalog.pg_rewrite'::pg_catalog.regclass"
					" AND d.refclassid" EQUALS "'pg_catalog.pg_class'::pg_catalog.regclass"
					" JOIN pg_catalog.pg_class AS c ON c.oid" EQUALS "d.refobjid)"
					" SELECT pg_catalog.string_agg(DISTINCT b.oid::pg_catalog.regclass::pg_catalog.text, ', ')"
					" FROM below AS b JOIN pg_catalog.pg_class AS c ON c.oid" EQUALS "b.oid"
					" WHERE b.by_owner AND c.relrowsecurity", relation);
}

/*
 * vidtoken_diagnose_owner: what keeps the owner of the ledger's tables from
 * using them, or NULL
 */
char *
vidtoken_diagnose_owner(void)
{
	return one_text("SELECT CASE"
					" WHEN pg_catalog.count(DISTINCT c.relowner) OPERATOR(pg_catalog.>) 1"
					" THEN pg_catalog.concat('the tables have several owners: ',"
					" pg_catalog.string_agg(DISTINCT pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, ', '))"
					" WHEN NOT pg_catalog.bool_and(pg_catalog.has_schema_privilege(c.relowner, c.relnamespace, 'USAGE'))"
					" THEN pg_catalog.concat('their owner lacks USAGE on the schema ',"
					" pg_catalog.min(c.relnamespace::pg_catalog.regnamespace::pg_catalog.text))"
					" END FROM" LEDGER_TABLES, InvalidOid);
}

/*
 * vidtoken_diagnose_grants: roles that hold a privilege on the ledger's
 * tables besides their owner, or NULL
 */
char *
vidtoken_diagnose_grants(void)
{
	return one_text("SELECT pg_catalog.string_agg(DISTINCT pg_catalog.concat("
					"CASE WHEN a.grantee" EQUALS "0 THEN 'PUBLIC'"
					" ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END,"
					" ' (', pg_catalog.lower(a.privilege_type), ')'), ', ')"
					" FROM" LEDGER_TABLES
					" CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a"
					" WHERE a.privilege_type OPERATOR(pg_catalog.<>) 'SELECT'"
					" AND a.grantee OPERATOR(pg_catalog.<>) c.relowner", InvalidOid);
}

/*
 * vidtoken_diagnose_triggers: triggers on the ledger's tables whose function
 * takes its search_path from whoever causes it to run, or NULL
 */
char *
vidtoken_diagnose_triggers(void)
{
	return one_text("SELECT pg_catalog.string_agg(DISTINCT t.tgname::pg_catalog.text, ', ')"
					" FROM" LEDGER_TABLES
					" JOIN pg_catalog.pg_trigger AS t ON t.tgrelid" EQUALS "c.oid"
					" AND NOT t.tgisinternal"
					" JOIN pg_catalog.pg_proc AS p ON p.oid" EQUALS "t.tgfoid"
					" WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(p.proconfig) AS s(setting)"
					" WHERE pg_catalog.starts_with(s.setting, 'search_path='))", InvalidOid);
}

/*
 * vidtoken_diagnose_public: functions that everyone may call and that should
 * be granted one by one, or NULL
 */
char *
vidtoken_diagnose_public(void)
{
	return one_text("SELECT pg_catalog.string_agg(DISTINCT p.proname::pg_catalog.text, ', ')"
					" FROM" MEMBERS("pg_proc")
					" JOIN pg_catalog.pg_proc AS p ON p.oid" EQUALS "d.objid"
					" AND p.provolatile" EQUALS "'v'"
					" AND pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE')",
					InvalidOid);
}

/*
 * one_text: the one column of the first row, in the current context; NULL for
 * no row
 */
static char *
one_text(const char *query, Oid argument)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(argument);
	char	   *result = NULL;

	SPI_connect();
	if (SPI_execute_with_args(query, OidIsValid(argument) ? 1 : 0, &type,
							  &value, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalogs");
	if (SPI_processed > 0)
	{
		char	   *text = SPI_getvalue(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1);

		result = text ? MemoryContextStrdup(caller, text) : NULL;
	}
	SPI_finish();
	return result;
}
