/*-------------------------------------------------------------------------
 *
 * key.c
 *	  ids of appointments and users, in the types of the source's columns
 *
 * An argument comes as text and is read by the type's own input function, so
 * that it is compared as a value and the column's index can be used.  A text
 * that is no value of the type means "no such appointment", like an id that
 * does not exist: one answer for both, and nothing to learn from it.
 *
 * Everything here runs as the caller.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/key.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "ground/guarded.h"
#include "storage/key.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

typedef struct ReadStep
{
	VidTokenKeyType *type;
	const char *text;
	int32		typmod;
	Datum		value;
} ReadStep;

static bool is_citext(Oid type);
static size_t trailing_blanks(const char *text);
static char *qualified_operator(Oid operator);
static bool read_guarded(ReadStep *step);
static void read_value(void *arg);
static bool cannot_fail(const VidTokenKeyType *type, const char *text);

/*
 * vidtoken_key_type_is_supported: integers, numeric, uuid, texts and enums
 */
bool
vidtoken_key_type_is_supported(Oid base_type)
{
	switch (base_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return true;
		default:
			return type_is_enum(base_type) || is_citext(base_type);
	}
}

/*
 * vidtoken_key_type_init: look up what the type needs, in the current context
 */
void
vidtoken_key_type_init(VidTokenKeyType *type, Oid column_type, int32 typmod,
					   Oid collation)
{
	TypeCacheEntry *cache;
	Oid			function;
	bool		is_varlena;

	type->column_type = column_type;
	type->base_type = getBaseTypeAndTypmod(column_type, &typmod);
	type->typmod = typmod;
	type->is_number = type->base_type == INT2OID ||
		type->base_type == INT4OID || type->base_type == INT8OID ||
		type->base_type == NUMERICOID;
	type->is_citext = is_citext(type->base_type);

	getTypeInputInfo(type->base_type, &function, &type->input_param);
	fmgr_info_cxt(function, &type->input, CurrentMemoryContext);
	getTypeOutputInfo(type->base_type, &function, &is_varlena);
	fmgr_info_cxt(function, &type->output, CurrentMemoryContext);

	cache = lookup_type_cache(type->base_type, TYPECACHE_EQ_OPR);
	if (!OidIsValid(cache->eq_opr))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("type %s has no default equality operator",
					   format_type_be(type->base_type)),
				errhint("Use another type for the keys in the relation of setting \"vidtoken.source\"."));
	type->equality = qualified_operator(cache->eq_opr);

	/* Equal ids of different spelling would be different sessions. */
	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("a key column of the relation of setting \"vidtoken.source\" has a nondeterministic collation"),
				errhint("Give it another one in the view: id COLLATE \"C\" AS ..."));
}

/*
 * vidtoken_key_read: the value that a text means; false when it means none
 *
 * Without the column's typmod: numeric(10,0) would turn 47.6 into 48, which
 * is another appointment.
 */
bool
vidtoken_key_read(VidTokenKeyType *type, const char *text, Datum *value)
{
	ReadStep	step = {.type = type,.text = text,.typmod = -1};

	/* namein() would cut it, and find another name. */
	if (type->base_type == NAMEOID && strlen(text) >= NAMEDATALEN)
		return false;

	if (cannot_fail(type, text))
		read_value(&step);
	else if (!read_guarded(&step))
		return false;
	*value = step.value;
	return true;
}

/*
 * vidtoken_key_write: the canonical text of a value, as the ledger keeps it
 *
 * Equal values have one text, or a bar would not hold for another spelling.
 * The column's typmod sees to that for numeric(p,s) and character(n).
 */
char *
vidtoken_key_write(VidTokenKeyType *type, Datum value)
{
	char	   *text;

	if (type->base_type == NUMERICOID && type->typmod < 0)
		value = DirectFunctionCall1(numeric_trim_scale, value);
	text = OutputFunctionCall(&type->output, value);
	if (type->base_type == BPCHAROID && type->typmod < 0)
		text[strlen(text) - trailing_blanks(text)] = '\0';
	if (type->is_citext)
		text = str_tolower(text, strlen(text), DEFAULT_COLLATION_OID);
	return text;
}

/*
 * vidtoken_key_spell: canonical text of an id for which no row is at hand;
 * NULL when the text means no value
 *
 * The column's typmod decides the spelling (47 is 47.00 in a numeric(10,2))
 * where it does not change the value.
 */
char *
vidtoken_key_spell(VidTokenKeyType *type, const char *text)
{
	ReadStep	step = {.type = type,.text = text,.typmod = type->typmod};
	TypeCacheEntry *cache;
	Datum		value;

	if (!vidtoken_key_read(type, text, &value))
		return NULL;
	if (type->typmod < 0 || !read_guarded(&step))
		return vidtoken_key_write(type, value);

	cache = lookup_type_cache(type->base_type, TYPECACHE_EQ_OPR_FINFO);
	if (DatumGetBool(FunctionCall2Coll(&cache->eq_opr_finfo,
									   get_typcollation(type->base_type),
									   value, step.value)))
		value = step.value;
	return vidtoken_key_write(type, value);
}

/*
 * is_citext: by its name, an extension's type has no fixed OID
 */
static bool
is_citext(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	result = form->typcategory == TYPCATEGORY_STRING &&
		strcmp(NameStr(form->typname), "citext") == 0;
	ReleaseSysCache(tuple);
	return result;
}

static size_t
trailing_blanks(const char *text)
{
	size_t		length = strlen(text);
	size_t		kept = length;

	while (kept > 0 && text[kept - 1] == ' ')
		kept--;
	return length - kept;
}

static char *
qualified_operator(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *schema;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	schema = get_namespace_name(form->oprnamespace);
	if (schema == NULL)
		elog(ERROR, "cache lookup failed for namespace %u", form->oprnamespace);
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(schema),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * read_guarded: false when the text is no value of the type (classes 22 and
 * 23); every other error passes
 */
static bool
read_guarded(ReadStep *step)
{
	ErrorData  *error = vidtoken_guarded(read_value, step);

	if (error == NULL)
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
			FreeErrorData(error);
			return false;
		default:
			ReThrowError(error);
	}
}

static void
read_value(void *arg)
{
	ReadStep   *step = arg;
	VidTokenKeyType *type = step->type;

	step->value = InputFunctionCall(&type->input,
									unconstify(char *, step->text),
									type->input_param, step->typmod);
	if (type->column_type != type->base_type)
		domain_check(step->value, false, type->column_type, NULL, NULL);
}

/*
 * cannot_fail: spares the common ids the subtransaction
 */
static bool
cannot_fail(const VidTokenKeyType *type, const char *text)
{
	size_t		length = strlen(text);
	bool		digits = length > 0 && strspn(text, "0123456789") == length;

	if (type->column_type != type->base_type)
		return false;
	switch (type->base_type)
	{
		case TEXTOID:
		case VARCHAROID:
			return true;
		case INT2OID:
			return digits && length <= 4;
		case INT4OID:
			return digits && length <= 9;
		case INT8OID:
		case NUMERICOID:
			return digits && length <= 18;
		case UUIDOID:
			return length == 36 &&
				strspn(text, "0123456789abcdefABCDEF") == 8 &&
				strspn(text + 9, "0123456789abcdefABCDEF") == 4 &&
				strspn(text + 14, "0123456789abcdefABCDEF") == 4 &&
				strspn(text + 19, "0123456789abcdefABCDEF") == 4 &&
				strspn(text + 24, "0123456789abcdefABCDEF") == 12 &&
				text[8] == '-' && text[13] == '-' &&
				text[18] == '-' && text[23] == '-';
		default:
			return false;
	}
}
