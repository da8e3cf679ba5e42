/*-------------------------------------------------------------------------
 *
 * form_reader.c
 *	  reads application/x-www-form-urlencoded
 *
 * The form of the WHATWG's URL standard.  A name that is there several times
 * keeps all of its values: who signs a form decides what they mean.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/form_reader.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/form_reader.h"
#include "mb/pg_wchar.h"

#define MAX_FIELDS 1000

static const char *find(const char *start, const char *end, char c);
static bool decode(const char *start, const char *end, VidTokenOctets *octets);
static int	hex_digit(char c);
static int	compare_fields(const void *a, const void *b);
static int	compare_octets(const VidTokenOctets *a, const VidTokenOctets *b);

/*
 * vidtoken_form_parse: the fields of a form, decoded
 *
 * Returns NULL when a percent sign is not followed by two hexadecimal digits,
 * or there are more fields than anyone sends.  The result lives in the current
 * context.
 */
VidTokenForm *
vidtoken_form_parse(const char *text, int length)
{
	VidTokenForm *form = palloc0(sizeof(VidTokenForm));
	const char *end = text + length;
	const char *p;
	int			kept = 0;
	int			i;

	form->fields = palloc(MAX_FIELDS * sizeof(VidTokenFormField));
	for (p = text; p < end;)
	{
		const char *stop = find(p, end, '&');
		const char *equals = find(p, stop, '=');
		VidTokenFormField *field = &form->fields[form->count];

		if (p < stop)
		{
			if (form->count == MAX_FIELDS ||
				!decode(p, equals, &field->name) ||
				!decode(equals < stop ? equals + 1 : stop, stop, &field->value))
				return NULL;
			form->count++;
		}
		p = stop + 1;
	}

	qsort(form->fields, form->count, sizeof(VidTokenFormField), compare_fields);
	for (i = 0; i < form->count; i++)
		if (i == 0 || compare_fields(&form->fields[i], &form->fields[i - 1]) != 0)
			form->fields[kept++] = form->fields[i];
	form->count = kept;
	return form;
}

/*
 * vidtoken_form_get: the one value of a field, UTF-8 without U+0000; NULL when
 * there is none, or another one too, or it is something else
 */
char *
vidtoken_form_get(const VidTokenForm *form, const char *name)
{
	const VidTokenFormField *found = NULL;
	int			i;

	for (i = 0; i < form->count; i++)
	{
		const VidTokenFormField *field = &form->fields[i];

		if (field->name.length != (int) strlen(name) ||
			memcmp(field->name.data, name, field->name.length) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = field;
	}
	if (found == NULL ||
		!pg_verify_mbstr(PG_UTF8, (const char *) found->value.data,
						 found->value.length, true))
		return NULL;
	return pnstrdup((const char *) found->value.data, found->value.length);
}

/*
 * find: the first such character, or the end
 */
static const char *
find(const char *start, const char *end, char c)
{
	const char *found = start < end ? memchr(start, c, end - start) : NULL;

	return found ? found : end;
}

static bool
decode(const char *start, const char *end, VidTokenOctets *octets)
{
	uint8	   *data = palloc(end - start + 1);
	int			length = 0;
	const char *p;

	for (p = start; p < end; p++)
	{
		if (*p != '%')
		{
			data[length++] = *p == '+' ? ' ' : *p;
			continue;
		}
		if (end - p < 3 || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
			return false;
		data[length++] = hex_digit(p[1]) << 4 | hex_digit(p[2]);
		p += 2;
	}
	octets->data = data;
	octets->length = length;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int
compare_fields(const void *a, const void *b)
{
	const VidTokenFormField *left = a;
	const VidTokenFormField *right = b;
	int			result = compare_octets(&left->name, &right->name);

	return result != 0 ? result : compare_octets(&left->value, &right->value);
}

static int
compare_octets(const VidTokenOctets *a, const VidTokenOctets *b)
{
	int			result = memcmp(a->data, b->data, Min(a->length, b->length));

	return result != 0 ? result : a->length - b->length;
}
