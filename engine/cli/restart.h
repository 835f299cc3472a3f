/* sysdig.run_app: the command line with which the program starts over after a run. */
#ifndef BURIN_CLI_RESTART_H
#define BURIN_CLI_RESTART_H

struct restart {
	int argc;
	char **argv; /* owned, NULL-terminated */
};

/* argv[0] and the options that sysdig's command line does not know (they go on to hold) come first. Cuts text at blanks; double quotes protect blanks and are removed, except in the last word, where they
 * stay (so does sysdig: the last word is a filter). -ENOMEM on failure; restart_free in any case. */
int restart_split(struct restart *r, int argc, char **argv, const char *text);
void restart_free(struct restart *r);

#endif
