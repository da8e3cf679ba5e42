/*-------------------------------------------------------------------------
 *
 * source_row.h
 *	  columns of a row that the source's queries gave
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/source_row.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_SOURCE_ROW_H
#define VIDTOKEN_SOURCE_ROW_H

#include "access/htup.h"
#include "datatype/timestamp.h"

extern Datum vidtoken_row_datum(HeapTuple row, int column, bool *isnull);
extern char *vidtoken_row_text(HeapTuple row, int column);
extern void vidtoken_row_times(HeapTuple row, TimestampTz *starts_at,
							   int64 *duration);
extern const char *vidtoken_row_role(HeapTuple row);

#endif							/* VIDTOKEN_SOURCE_ROW_H */
