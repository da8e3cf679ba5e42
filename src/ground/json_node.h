/*-------------------------------------------------------------------------
 *
 * json_node.h
 *	  the index of a parsed JSON text, for the reader's own files
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_node.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JSON_NODE_H
#define VIDTOKEN_JSON_NODE_H

#include "ground/json_reader.h"

/* Slices of the text; those of strings lie between the quotes. */
typedef struct JsonNode
{
	VidTokenJsonType type;
	bool		escaped;		/* a string with a backslash */
	int			start;
	int			length;
	int			first;			/* first element, first name, or name's value */
	int			next;			/* next element or name of the same parent */
	uint32		hash;			/* of a name, as what it means */
} JsonNode;

struct VidTokenJson
{
	const char *text;
	int			length;
	int			position;
	const char *reason;
	JsonNode   *nodes;
	int			count;
	int			allocated;
};

extern bool vidtoken_json_same_string(const VidTokenJson *json, int a, int b);

#endif							/* VIDTOKEN_JSON_NODE_H */
