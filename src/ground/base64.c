/*-------------------------------------------------------------------------
 *
 * base64.c
 *	  base64 as most protocols have it (RFC 4648, section 4)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/base64.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "compat.h"
#include "ground/base64.h"

/*
 * vidtoken_base64: with padding, a string in the current context
 */
char *
vidtoken_base64(const uint8 *data, int length)
{
	int			size = pg_b64_enc_len(length);
	char	   *text = palloc(size + 1);
	int			encoded = pg_b64_encode(VidTokenBase64Source(data), length,
										text, size);

	if (encoded < 0)
		elog(ERROR, "could not encode %d bytes as base64", length);
	text[encoded] = '\0';
	return text;
}
