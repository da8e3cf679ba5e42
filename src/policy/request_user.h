/*-------------------------------------------------------------------------
 *
 * request_user.h
 *	  the user on whose behalf a gateway calls
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/request_user.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_REQUEST_USER_H
#define VIDTOKEN_REQUEST_USER_H

extern char *vidtoken_request_user(void);

#endif							/* VIDTOKEN_REQUEST_USER_H */
