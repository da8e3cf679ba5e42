/*-------------------------------------------------------------------------
 *
 * json_reader.h
 *	  strict JSON parser that never shows what it read
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_reader.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JSON_READER_H
#define VIDTOKEN_JSON_READER_H

#define VIDTOKEN_JSON_MAX_LENGTH		(1024 * 1024)	/* bytes */
#define VIDTOKEN_JSON_MAX_DEPTH			64
#define VIDTOKEN_JSON_MAX_MEMBERS		512
#define VIDTOKEN_JSON_MAX_NUMBER		40
#define VIDTOKEN_JSON_MAX_EXPONENT		308

typedef enum VidTokenJsonType
{
	VIDTOKEN_JSON_OBJECT,
	VIDTOKEN_JSON_ARRAY,
	VIDTOKEN_JSON_STRING,
	VIDTOKEN_JSON_NUMBER,
	VIDTOKEN_JSON_TRUE,
	VIDTOKEN_JSON_FALSE,
	VIDTOKEN_JSON_NULL
} VidTokenJsonType;

/* a value inside a document: an index, or VIDTOKEN_JSON_NONE */
typedef int VidTokenJsonNode;

#define VIDTOKEN_JSON_ROOT		0
#define VIDTOKEN_JSON_NONE		(-1)

typedef struct VidTokenJson VidTokenJson;

extern VidTokenJson *vidtoken_json_parse(const char *text, int length,
										 const char **reason);
extern VidTokenJsonType vidtoken_json_type(const VidTokenJson *json,
										   VidTokenJsonNode node);
extern VidTokenJsonNode vidtoken_json_member(const VidTokenJson *json,
											 VidTokenJsonNode object,
											 const char *name);
extern VidTokenJsonNode vidtoken_json_first(const VidTokenJson *json,
											VidTokenJsonNode array);
extern VidTokenJsonNode vidtoken_json_next(const VidTokenJson *json,
										   VidTokenJsonNode node);
extern const char *vidtoken_json_raw(const VidTokenJson *json,
									 VidTokenJsonNode node, int *length);
extern char *vidtoken_json_string(const VidTokenJson *json,
								  VidTokenJsonNode node);
extern char *vidtoken_json_member_string(const VidTokenJson *json,
										 VidTokenJsonNode object,
										 const char *name);
extern bool vidtoken_json_equals(const VidTokenJson *json,
								 VidTokenJsonNode node, const char *value);

#endif							/* VIDTOKEN_JSON_READER_H */
