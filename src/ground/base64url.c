/*-------------------------------------------------------------------------
 *
 * base64url.c
 *	  base64url without padding (RFC 7515, section 2)
 *
 * The decoder accepts exactly what the encoder writes: one text for one
 * sequence of bytes, so that two different tokens never mean the same.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/base64url.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/base64url.h"

static const char alphabet[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int	sextet(char c);

/*
 * vidtoken_base64url_encoded_length: characters that "length" bytes become
 */
Size
vidtoken_base64url_encoded_length(Size length)
{
	return (length * 4 + 2) / 3;
}

/*
 * vidtoken_base64url_encode: write the encoded bytes to "target", no NUL
 *
 * The two may overlap when the source ends where the encoded text will end
 * or later: three bytes are read before four characters are written.
 */
void
vidtoken_base64url_encode(const uint8 *source, Size length, char *target)
{
	while (length >= 3)
	{
		uint32		group = source[0] << 16 | source[1] << 8 | source[2];

		*target++ = alphabet[group >> 18];
		*target++ = alphabet[(group >> 12) & 0x3F];
		*target++ = alphabet[(group >> 6) & 0x3F];
		*target++ = alphabet[group & 0x3F];
		source += 3;
		length -= 3;
	}

	if (length > 0)
	{
		uint32		group = source[0] << 16;

		if (length == 2)
			group |= source[1] << 8;
		*target++ = alphabet[group >> 18];
		*target++ = alphabet[(group >> 12) & 0x3F];
		if (length == 2)
			*target++ = alphabet[(group >> 6) & 0x3F];
	}
}

/*
 * vidtoken_base64url_decode: write the decoded bytes to "target"
 *
 * Returns their number, or -1 when the text is not what the encoder would
 * have written.  "target" needs room for length * 3 / 4 bytes.
 */
int
vidtoken_base64url_decode(const char *source, int length, uint8 *target)
{
	uint8	   *start = target;
	uint32		group = 0;
	int			bits = 0;
	int			i;

	if (length % 4 == 1)
		return -1;

	for (i = 0; i < length; i++)
	{
		int			value = sextet(source[i]);

		if (value < 0)
			return -1;
		group = group << 6 | value;
		bits += 6;
		if (bits >= 8)
		{
			bits -= 8;
			*target++ = (group >> bits) & 0xFF;
		}
	}

	/* The bits that no byte uses must be zero. */
	if ((group & ((1 << bits) - 1)) != 0)
		return -1;

	return target - start;
}

/*
 * sextet: value of one character, or -1
 */
static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	return -1;
}
