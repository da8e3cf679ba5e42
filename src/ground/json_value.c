/*-------------------------------------------------------------------------
 *
 * json_value.c
 *	  values of a parsed JSON text
 *
 * Nothing of the text is copied but by vidtoken_json_string().
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_value.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/json_escape.h"
#include "ground/json_node.h"

/*
 * vidtoken_json_type: type of a value
 */
VidTokenJsonType
vidtoken_json_type(const VidTokenJson *json, VidTokenJsonNode node)
{
	return json->nodes[node].type;
}

/*
 * vidtoken_json_member: value of an object's member, VIDTOKEN_JSON_NONE when
 * there is none or the value is not an object
 */
VidTokenJsonNode
vidtoken_json_member(const VidTokenJson *json, VidTokenJsonNode object,
					 const char *name)
{
	int			node;

	if (json->nodes[object].type != VIDTOKEN_JSON_OBJECT)
		return VIDTOKEN_JSON_NONE;
	for (node = json->nodes[object].first; node >= 0;
		 node = json->nodes[node].next)
		if (vidtoken_json_equals(json, node, name))
			return json->nodes[node].first;
	return VIDTOKEN_JSON_NONE;
}

/*
 * vidtoken_json_first: first element of an array, or VIDTOKEN_JSON_NONE
 */
VidTokenJsonNode
vidtoken_json_first(const VidTokenJson *json, VidTokenJsonNode array)
{
	return json->nodes[array].first;
}

/*
 * vidtoken_json_next: element after this one, or VIDTOKEN_JSON_NONE
 */
VidTokenJsonNode
vidtoken_json_next(const VidTokenJson *json, VidTokenJsonNode node)
{
	return json->nodes[node].next;
}

/*
 * vidtoken_json_raw: slice of the text, NULL for a string with escapes
 */
const char *
vidtoken_json_raw(const VidTokenJson *json, VidTokenJsonNode node, int *length)
{
	const JsonNode *value = &json->nodes[node];

	*length = value->length;
	return value->escaped ? NULL : json->text + value->start;
}

/*
 * vidtoken_json_string: a string's characters as a copy, in UTF-8
 */
char *
vidtoken_json_string(const VidTokenJson *json, VidTokenJsonNode node)
{
	const JsonNode *value = &json->nodes[node];
	char	   *copy = palloc(value->length + 1);

	copy[vidtoken_json_unescape(json->text + value->start,
								value->length, copy)] = '\0';
	return copy;
}

/*
 * vidtoken_json_member_string: a member that is a string, as such a copy; NULL
 * where it is missing or something else, and of what is no object
 */
char *
vidtoken_json_member_string(const VidTokenJson *json, VidTokenJsonNode object,
							const char *name)
{
	VidTokenJsonNode member;

	if (object == VIDTOKEN_JSON_NONE ||
		vidtoken_json_type(json, object) != VIDTOKEN_JSON_OBJECT)
		return NULL;
	member = vidtoken_json_member(json, object, name);
	if (member == VIDTOKEN_JSON_NONE ||
		vidtoken_json_type(json, member) != VIDTOKEN_JSON_STRING)
		return NULL;
	return vidtoken_json_string(json, member);
}

/*
 * vidtoken_json_equals: is the value this string?
 */
bool
vidtoken_json_equals(const VidTokenJson *json, VidTokenJsonNode node,
					 const char *value)
{
	const JsonNode *string = &json->nodes[node];
	bool		equal;
	char	   *copy;

	if (string->type != VIDTOKEN_JSON_STRING)
		return false;
	if (!string->escaped)
		return (int) strlen(value) == string->length &&
			memcmp(json->text + string->start, value, string->length) == 0;

	copy = vidtoken_json_string(json, node);
	equal = strcmp(copy, value) == 0;
	pfree(copy);
	return equal;
}

/*
 * vidtoken_json_same_string: do two strings mean the same, however they are
 * spelled?
 */
bool
vidtoken_json_same_string(const VidTokenJson *json, int a, int b)
{
	const JsonNode *left = &json->nodes[a];
	const JsonNode *right = &json->nodes[b];
	char	   *copy;
	bool		same;

	if (!left->escaped && !right->escaped)
		return left->length == right->length &&
			memcmp(json->text + left->start, json->text + right->start,
				   left->length) == 0;
	copy = vidtoken_json_string(json, a);
	same = vidtoken_json_equals(json, b, copy);
	pfree(copy);
	return same;
}
