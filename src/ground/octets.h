/*-------------------------------------------------------------------------
 *
 * octets.h
 *	  a run of bytes that somebody else owns
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/octets.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_OCTETS_H
#define VIDTOKEN_OCTETS_H

/* such as a big-endian number or a decoded part; NULL: there is none */
typedef struct VidTokenOctets
{
	const uint8 *data;
	int			length;
} VidTokenOctets;

#endif							/* VIDTOKEN_OCTETS_H */
