#include "base/services.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

bool services_loaded;
static char **names[2]; /* tcp, udp; by port; owned for the life of the process */

static int add(const struct servent *s)
{
	bool udp = !strcmp(s->s_proto, "udp");
	uint16_t port = ntohs((uint16_t)s->s_port);

	/* The first name of a port is the one that looking it up gives. */
	if ((!udp && strcmp(s->s_proto, "tcp")) || names[udp][port])
		return 0;
	names[udp][port] = strdup(s->s_name);
	return names[udp][port] ? 0 : -ENOMEM;
}

int services_load(void)
{
	struct servent *s;
	int rc = 0;

	if (services_loaded)
		return 0;
	for (int i = 0; i < 2; i++)
		if (!names[i] && !(names[i] = calloc(UINT16_MAX + 1, sizeof(*names[i]))))
			return -ENOMEM;
	setservent(1);
	while (rc == 0 && (s = getservent()))
		rc = add(s);
	endservent();
	services_loaded = rc == 0;
	return rc;
}

const char *service_name(uint16_t port, bool udp)
{
	if (!services_loaded)
		return NULL;
	return names[udp][port] ? names[udp][port] : names[!udp][port];
}
