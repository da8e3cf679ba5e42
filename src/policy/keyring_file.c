/*-------------------------------------------------------------------------
 *
 * keyring_file.c
 *	  reads a keyring's file, if it is fit to hold secrets
 *
 * The rules are those of the server's own TLS key (ssl_key_file), judged on
 * the open descriptor: what was checked is what is read.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/keyring_file.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "policy/keyring_file.h"
#include "storage/fd.h"

#define MAX_FILE_SIZE (1024 * 1024)

static void set_state(VidTokenFileState *state, const struct stat *st);
static const char *judge(const struct stat *st);
static char *read_all(int fd, int expected, int *length, const char **reason);

/*
 * vidtoken_keyring_file_state: a cheap look; zeros when there is no file
 */
void
vidtoken_keyring_file_state(const char *path, VidTokenFileState *state)
{
	struct stat st;

	memset(state, 0, sizeof(*state));
	if (stat(path, &st) == 0)
		set_state(state, &st);
}

/*
 * vidtoken_keyring_file_read: the whole file, in memory that is wiped with
 * the current context
 *
 * Returns NULL with a reason when it cannot be opened or trusted; "state" is
 * that of the descriptor.  It stays all zeros when the file could not be read,
 * so that it is tried again.  O_NONBLOCK: a FIFO must not stop the backend.
 */
char *
vidtoken_keyring_file_read(const char *path, int *length,
						   VidTokenFileState *state, const char **reason)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char	   *text = NULL;

	memset(state, 0, sizeof(*state));
	if (fd < 0 || fstat(fd, &st) != 0)
		*reason = psprintf("could not open file: %s", strerror(errno));
	else if ((*reason = judge(&st)) != NULL)
		set_state(state, &st);
	else
	{
		text = read_all(fd, (int) st.st_size, length, reason);
		if (text != NULL)
			set_state(state, &st);
	}
	if (fd >= 0)
		CloseTransientFile(fd);
	return text;
}

static void
set_state(VidTokenFileState *state, const struct stat *st)
{
	state->device = st->st_dev;
	state->inode = st->st_ino;
	state->size = st->st_size;
	state->modified = st->st_mtim;
	state->changed = st->st_ctim;
}

/*
 * judge: NULL, or why the file is not fit
 */
static const char *
judge(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	if (st->st_size > MAX_FILE_SIZE)
		return "it is larger than 1 MB";
	if (st->st_uid == geteuid())
	{
		if (st->st_mode & (S_IRWXG | S_IRWXO))
			return "its group or others have access: set mode 0600";
	}
	else if (st->st_uid == 0)
	{
		if (st->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO))
			return "its group may write or others have access: set mode 0640";
	}
	else
		return "it belongs neither to the server's user nor to root";
	return NULL;
}

/*
 * read_all: at most the size that was judged, so that a growing file is cut
 * and then refused as malformed, and read again when its state has changed
 */
static char *
read_all(int fd, int expected, int *length, const char **reason)
{
	char	   *text = vidtoken_secret_alloc(expected + 1);

	*length = 0;
	while (*length < expected)
	{
		ssize_t		done = read(fd, text + *length, expected - *length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
		{
			*reason = psprintf("could not read file: %s", strerror(errno));
			return NULL;
		}
		if (done == 0)
			break;
		*length += done;
	}
	return text;
}
