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

/* Options of the engine, not of the analysis: the second run keeps them. */
static bool is_kept(const char *word)
{
	static const char *const kept[] = {"--compat=", "--workers=", "--lua-memory=", "--lua-seconds=", "--batch-bytes=",
					   "--batch-events="};

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!strncmp(word, kept[i], strlen(kept[i])))
			return true;
	return false;
}

int restart_split(struct restart *r, int argc, char **argv, const char *text)
{
	size_t cap = strlen(text) / 2 + 4 + (size_t)argc;

	r->argc = 0;
	r->argv = calloc(cap, sizeof(*r->argv));
	if (!r->argv)
		return -ENOMEM;
	for (int i = 0; i < argc; i++)
		if ((!i || is_kept(argv[i])) && !(r->argv[r->argc++] = strdup(argv[i])))
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
