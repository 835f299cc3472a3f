#include "cli/restart.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The word at s up to the next unprotected blank; *end behind it. */
static void word_end(const char *s, const char **end)
{
	bool quoted = false;

	for (; *s && (quoted || *s != ' '); s++)
		quoted ^= *s == '"';
	*end = s;
}

static char *copy_word(const char *s, const char *end, bool keep_quotes)
{
	char *w = malloc((size_t)(end - s) + 1), *p = w;

	if (!w)
		return NULL;
	for (; s < end; s++)
		if (keep_quotes || *s != '"')
			*p++ = *s;
	*p = '\0';
	return w;
}

int restart_split(struct restart *r, const char *name, const char *text)
{
	size_t cap = strlen(text) / 2 + 4;

	r->argc = 0;
	r->argv = calloc(cap, sizeof(*r->argv));
	if (!r->argv || !(r->argv[r->argc++] = strdup(name)))
		return -ENOMEM;
	for (const char *s = text, *end;; s = end) {
		while (*s == ' ')
			s++;
		if (!*s)
			return 0;
		word_end(s, &end);
		const char *rest = end + strspn(end, " ");
		char *w = copy_word(s, end, !*rest);
		if (!w)
			return -ENOMEM;
		r->argv[r->argc++] = w;
	}
}

void restart_free(struct restart *r)
{
	for (int i = 0; r->argv && i < r->argc; i++)
		free(r->argv[i]);
	free(r->argv);
}
