/*-------------------------------------------------------------------------
 *
 * json_reader.c
 *	  strict JSON parser that never shows what it read
 *
 * RFC 8259, and stricter where two readers could disagree: valid UTF-8, one
 * value and nothing after it, no member twice in an object, no U+0000, no
 * lone surrogate, bounded depth, members and numbers.  What passes here can
 * be handed to PostgreSQL's own JSON functions without an error, in a database
 * whose encoding has all of its characters.
 *
 * The text may hold secrets (a keyring), so a refusal is a constant sentence,
 * nothing of the text is copied but by vidtoken_json_string(), and no error
 * is raised except for cancel and out of memory.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_reader.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "ground/json_escape.h"
#include "ground/json_node.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

static int	parse_value(VidTokenJson *json, int depth);
static int	parse_object(VidTokenJson *json, int depth);
static int	parse_array(VidTokenJson *json, int depth);
static int	parse_string(VidTokenJson *json);
static int	parse_number(VidTokenJson *json);
static int	parse_word(VidTokenJson *json, const char *word,
					   VidTokenJsonType type);
static int	add_node(VidTokenJson *json, VidTokenJsonType type, int start);
static int	fail(VidTokenJson *json, const char *reason);
static int	peek(VidTokenJson *json);
static bool skip_digits(VidTokenJson *json);
static void hash_name(VidTokenJson *json, int name);
static bool name_is_taken(const VidTokenJson *json, int object, int name);

/*
 * vidtoken_json_parse: check a text and index its values
 *
 * Returns NULL, with a reason that shows nothing of the text, when it is not
 * acceptable.  The result points into the text and lives in the current
 * context.
 */
VidTokenJson *
vidtoken_json_parse(const char *text, int length, const char **reason)
{
	VidTokenJson *json = palloc0(sizeof(VidTokenJson));

	json->text = text;
	json->length = length;
	json->allocated = 32;
	json->nodes = palloc(json->allocated * sizeof(JsonNode));

	if (length > VIDTOKEN_JSON_MAX_LENGTH)
		fail(json, "it is longer than 1 MB");
	else if (!pg_verify_mbstr(PG_UTF8, text, length, true))
		fail(json, "it is not valid UTF-8");
	else if (parse_value(json, 0) >= 0 && peek(json) >= 0)
		fail(json, "something follows the JSON value");

	*reason = json->reason;
	return json->reason == NULL ? json : NULL;
}

/*
 * The parse functions return the index of the node they added, or -1 with
 * the reason set.
 */
static int
parse_value(VidTokenJson *json, int depth)
{
	int			c = peek(json);

	if ((c == '{' || c == '[') && depth >= VIDTOKEN_JSON_MAX_DEPTH)
		return fail(json, "it is nested too deep");

	switch (c)
	{
		case '{':
			return parse_object(json, depth);
		case '[':
			return parse_array(json, depth);
		case '"':
			return parse_string(json);
		case 't':
			return parse_word(json, "true", VIDTOKEN_JSON_TRUE);
		case 'f':
			return parse_word(json, "false", VIDTOKEN_JSON_FALSE);
		case 'n':
			return parse_word(json, "null", VIDTOKEN_JSON_NULL);
		default:
			return parse_number(json);
	}
}

static int
parse_object(VidTokenJson *json, int depth)
{
	int			object = add_node(json, VIDTOKEN_JSON_OBJECT, json->position++);
	int			last = -1;
	int			members = 0;

	if (peek(json) == '}')
	{
		json->position++;
		return object;
	}
	for (;;)
	{
		int			name;
		int			value;

		if (peek(json) != '"')
			return fail(json, "a member has no name");
		if ((name = parse_string(json)) < 0)
			return -1;
		if (++members > VIDTOKEN_JSON_MAX_MEMBERS)
			return fail(json, "an object has too many members");
		hash_name(json, name);
		if (name_is_taken(json, object, name))
			return fail(json, "an object has a member twice");
		if (peek(json) != ':')
			return fail(json, "a member has no value");
		json->position++;
		if ((value = parse_value(json, depth + 1)) < 0)
			return -1;
		json->nodes[name].first = value;
		if (last < 0)
			json->nodes[object].first = name;
		else
			json->nodes[last].next = name;
		last = name;

		if (peek(json) == '}')
			break;
		if (peek(json) != ',')
			return fail(json, "an object does not end");
		json->position++;
	}
	json->position++;
	return object;
}

static int
parse_array(VidTokenJson *json, int depth)
{
	int			array = add_node(json, VIDTOKEN_JSON_ARRAY, json->position++);
	int			last = -1;

	if (peek(json) == ']')
	{
		json->position++;
		return array;
	}
	for (;;)
	{
		int			element = parse_value(json, depth + 1);

		if (element < 0)
			return -1;
		if (last < 0)
			json->nodes[array].first = element;
		else
			json->nodes[last].next = element;
		last = element;

		if (peek(json) == ']')
			break;
		if (peek(json) != ',')
			return fail(json, "an array does not end");
		json->position++;
	}
	json->position++;
	return array;
}

static int
parse_string(VidTokenJson *json)
{
	int			node = add_node(json, VIDTOKEN_JSON_STRING, ++json->position);

	while (json->position < json->length)
	{
		unsigned char c = json->text[json->position];

		if (c == '"')
		{
			json->nodes[node].length = json->position - json->nodes[node].start;
			json->position++;
			return node;
		}
		if (c < 0x20)
			return fail(json, "a string has a control character");
		if (c == '\\')
		{
			int			length =
			vidtoken_json_escape_length(json->text + json->position,
										json->text + json->length);

			if (length < 0)
				return fail(json, "a string has an escape that is not allowed");
			json->nodes[node].escaped = true;
			json->position += length;
		}
		else
			json->position++;
	}
	return fail(json, "a string does not end");
}

static int
parse_number(VidTokenJson *json)
{
	const char *text = json->text;
	int			start = json->position;
	int			node = add_node(json, VIDTOKEN_JSON_NUMBER, start);
	int			exponent = 0;

	if (start < json->length && text[start] == '-')
		json->position++;
	if (json->position < json->length && text[json->position] == '0')
		json->position++;
	else if (!skip_digits(json))
		return fail(json, "a value is not JSON");
	if (json->position < json->length && text[json->position] == '.')
	{
		json->position++;
		if (!skip_digits(json))
			return fail(json, "a number is not JSON");
	}
	if (json->position < json->length &&
		(text[json->position] == 'e' || text[json->position] == 'E'))
	{
		int			digits;

		json->position++;
		if (json->position < json->length &&
			(text[json->position] == '+' || text[json->position] == '-'))
			json->position++;
		digits = json->position;
		if (!skip_digits(json))
			return fail(json, "a number is not JSON");
		for (; digits < json->position; digits++)
			exponent = Min(exponent * 10 + (text[digits] - '0'), 100000);
	}

	json->nodes[node].length = json->position - start;
	if (json->nodes[node].length > VIDTOKEN_JSON_MAX_NUMBER ||
		exponent > VIDTOKEN_JSON_MAX_EXPONENT)
		return fail(json, "a number is too long");
	return node;
}

static int
parse_word(VidTokenJson *json, const char *word, VidTokenJsonType type)
{
	int			length = strlen(word);
	int			node = add_node(json, type, json->position);

	if (json->length - json->position < length ||
		memcmp(json->text + json->position, word, length) != 0)
		return fail(json, "a value is not JSON");
	json->nodes[node].length = length;
	json->position += length;
	return node;
}

/*
 * add_node: index of a new node that has no relatives yet
 */
static int
add_node(VidTokenJson *json, VidTokenJsonType type, int start)
{
	JsonNode   *node;

	CHECK_FOR_INTERRUPTS();
	if (json->count == json->allocated)
	{
		json->allocated *= 2;
		json->nodes = repalloc(json->nodes,
							   json->allocated * sizeof(JsonNode));
	}
	node = &json->nodes[json->count];
	memset(node, 0, sizeof(JsonNode));
	node->type = type;
	node->start = start;
	node->first = VIDTOKEN_JSON_NONE;
	node->next = VIDTOKEN_JSON_NONE;
	return json->count++;
}

static int
fail(VidTokenJson *json, const char *reason)
{
	if (json->reason == NULL)
		json->reason = reason;
	return -1;
}

/*
 * peek: next character after white space, or -1 at the end
 */
static int
peek(VidTokenJson *json)
{
	while (json->position < json->length)
	{
		char		c = json->text[json->position];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return (unsigned char) c;
		json->position++;
	}
	return -1;
}

/*
 * skip_digits: pass one or more digits
 */
static bool
skip_digits(VidTokenJson *json)
{
	int			start = json->position;

	while (json->position < json->length &&
		   json->text[json->position] >= '0' &&
		   json->text[json->position] <= '9')
		json->position++;
	return json->position > start;
}

/*
 * hash_name: so that names with escapes are not unescaped for each comparison
 */
static void
hash_name(VidTokenJson *json, int name)
{
	JsonNode   *node = &json->nodes[name];
	const char *text = json->text + node->start;
	int			length = node->length;
	char	   *copy = NULL;

	if (node->escaped)
	{
		copy = palloc(length);
		length = vidtoken_json_unescape(text, length, copy);
		text = copy;
	}
	node->hash = hash_bytes((const unsigned char *) text, length);
	if (copy != NULL)
		pfree(copy);
}

/*
 * name_is_taken: has the object a member of this name?  Names are compared
 * as what they mean, not as they are spelled (RFC 8725, section 2.4).
 */
static bool
name_is_taken(const VidTokenJson *json, int object, int name)
{
	int			node;

	for (node = json->nodes[object].first; node >= 0;
		 node = json->nodes[node].next)
		if (json->nodes[node].hash == json->nodes[name].hash &&
			vidtoken_json_same_string(json, node, name))
			return true;
	return false;
}
