/*-------------------------------------------------------------------------
 *
 * keyring_file.h
 *	  reads a keyring's file, if it is fit to hold secrets
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/keyring_file.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_KEYRING_FILE_H
#define VIDTOKEN_KEYRING_FILE_H

#include <sys/stat.h>

/* what tells one state of a file from another */
typedef struct VidTokenFileState
{
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec modified;
	struct timespec changed;
} VidTokenFileState;

extern void vidtoken_keyring_file_state(const char *path,
										VidTokenFileState *state);
extern char *vidtoken_keyring_file_read(const char *path, int *length,
										VidTokenFileState *state,
										const char **reason);

#endif							/* VIDTOKEN_KEYRING_FILE_H */
