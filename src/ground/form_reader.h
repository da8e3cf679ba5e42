/*-------------------------------------------------------------------------
 *
 * form_reader.h
 *	  reads application/x-www-form-urlencoded
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/form_reader.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_FORM_READER_H
#define VIDTOKEN_FORM_READER_H

#include "ground/octets.h"

typedef struct VidTokenFormField
{
	VidTokenOctets name;
	VidTokenOctets value;
} VidTokenFormField;

/* Sorted by the bytes of name and value; what is there twice is there once. */
typedef struct VidTokenForm
{
	VidTokenFormField *fields;
	int			count;
} VidTokenForm;

extern VidTokenForm *vidtoken_form_parse(const char *text, int length);
extern char *vidtoken_form_get(const VidTokenForm *form, const char *name);

#endif							/* VIDTOKEN_FORM_READER_H */
