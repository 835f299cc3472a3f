#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "live/runtime.h"

enum { TIMEOUT_MS = 2000, ANSWER_MAX = 4 << 20 };

static size_t on_data(char *p, size_t size, size_t n, void *ctx)
{
	struct buf *b = ctx;

	if (b->len + size * n > ANSWER_MAX)
		return 0;
	buf_put(b, p, size * n);
	return buf_failed(b) ? 0 : size * n;
}

/* Loaded when a container runtime is asked for the first time: it brings 25 libraries with it, and
 * to load them takes more than half of the start of a program that mostly reads files. One thread
 * at a time, as the rest of this file. */
static const struct http {
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *getinfo;
	__typeof__(curl_easy_cleanup) *cleanup;
} * http_load(void)
{
	static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
	static struct http h;
	static bool tried;
	void *lib = NULL;

	if (tried)
		return h.init ? &h : NULL;
	tried = true;
	for (unsigned i = 0; !lib && i < ARRAY_SIZE(names); i++)
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return NULL;
	h.setopt = (__typeof__(h.setopt))dlsym(lib, "curl_easy_setopt");
	h.perform = (__typeof__(h.perform))dlsym(lib, "curl_easy_perform");
	h.getinfo = (__typeof__(h.getinfo))dlsym(lib, "curl_easy_getinfo");
	h.cleanup = (__typeof__(h.cleanup))dlsym(lib, "curl_easy_cleanup");
	if (h.setopt && h.perform && h.getinfo && h.cleanup)
		h.init = (__typeof__(h.init))dlsym(lib, "curl_easy_init");
	return h.init ? &h : NULL;
}

/* The answer to GET path, decoded; NULL: none, or not "200". */
static json_t *get(const char *socket, const char *path)
{
	const struct http *c = http_load();
	CURL *h = c ? c->init() : NULL;
	char url[512];
	long status = 0;
	json_t *answer = NULL;
	struct buf b;

	if (!h)
		return NULL;
	buf_init(&b);
	snprintf(url, sizeof(url), "http://localhost/v1.24%s", path);
	c->setopt(h, CURLOPT_UNIX_SOCKET_PATH, socket);
	c->setopt(h, CURLOPT_URL, url);
	c->setopt(h, CURLOPT_NOSIGNAL, 1L);
	c->setopt(h, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	c->setopt(h, CURLOPT_WRITEFUNCTION, on_data);
	c->setopt(h, CURLOPT_WRITEDATA, &b);
	if (c->perform(h) == CURLE_OK)
		c->getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		answer = json_loadb(b.p, b.len, 0, NULL);
	buf_fini(&b);
	c->cleanup(h);
	return answer;
}

/* "2026-11-22T01:44:07.419080839Z" */
static int64_t parse_time(const char *s)
{
	struct tm t = {0};

	return strptime(s, "%Y-%m-%dT%H:%M:%S", &t) ? timegm(&t) : 0;
}

static void copy(json_t *to, const char *name, json_t *from)
{
	if (from && !json_is_null(from))
		json_object_set(to, name, from);
}

static void set_limits(json_t *c, const json_t *host)
{
	json_int_t shares = json_integer_value(json_object_get(host, "CpuShares"));
	json_int_t period = json_integer_value(json_object_get(host, "CpuPeriod"));
	json_int_t quota = json_integer_value(json_object_get(host, "CpuQuota"));
	json_int_t nano = json_integer_value(json_object_get(host, "NanoCpus"));

	period = period ? period : 100000;
	if (!quota && nano)
		quota = nano / 1000 * period / 1000000;
	copy(c, "memory_limit", json_object_get(host, "Memory"));
	copy(c, "swap_limit", json_object_get(host, "MemorySwap"));
	json_object_set_new(c, "cpu_shares", json_integer(shares ? shares : 1024));
	json_object_set_new(c, "cpu_quota", json_integer(quota));
	json_object_set_new(c, "cpu_period", json_integer(period));
	json_object_set_new(c, "cpuset_cpu_count",
			    json_integer(runtime_count_cpus(runtime_text(host, "CpusetCpus"))));
	copy(c, "privileged", json_object_get(host, "Privileged"));
}

/* {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]} */
static void set_ports(json_t *c, const json_t *ports)
{
	json_t *out = json_array(), *list, *one;
	const char *port;
	size_t i;

	json_object_foreach((json_t *)ports, port, list)
	{
		json_array_foreach(list, i, one)
		{
			unsigned a = 0, b = 0, d = 0, e = 0;
			json_t *m = json_object();

			sscanf(runtime_text(one, "HostIp"), "%u.%u.%u.%u", &a, &b, &d, &e);
			json_object_set_new(
				m, "HostIp",
				json_integer((json_int_t)(a << 24 | b << 16 | d << 8 | e)));
			json_object_set_new(m, "HostPort",
					    json_integer(atoi(runtime_text(one, "HostPort"))));
			json_object_set_new(m, "ContainerPort", json_integer(atoi(port)));
			json_array_append_new(out, m);
		}
	}
	json_object_set_new(c, "port_mappings", out);
}

/* Test: ["CMD", exe, args...] or ["CMD-SHELL", command] */
static void set_healthcheck(json_t *c, const json_t *check)
{
	json_t *test = json_object_get(check, "Test"), *h, *args;
	const char *kind = json_string_value(json_array_get(test, 0));

	if (!kind || json_array_size(test) < 2 || !strcmp(kind, "NONE"))
		return;
	h = json_object();
	args = json_array();
	if (!strcmp(kind, "CMD-SHELL")) {
		json_object_set_new(h, "exe", json_string("/bin/sh"));
		json_array_append_new(args, json_string("-c"));
		json_array_append(args, json_array_get(test, 1));
	} else {
		json_object_set(h, "exe", json_array_get(test, 1));
		for (size_t i = 2; i < json_array_size(test); i++)
			json_array_append(args, json_array_get(test, i));
	}
	json_object_set_new(h, "args", args);
	json_object_set_new(c, "Healthcheck", h);
}

static const char *address(const json_t *net)
{
	const char *ip = runtime_text(net, "IPAddress"), *name;
	json_t *one;

	if (*ip)
		return ip;
	json_object_foreach(json_object_get(net, "Networks"), name, one)
	{
		ip = runtime_text(one, "IPAddress");
		if (*ip)
			return ip;
	}
	return "";
}

/* A container may use the network of another one. */
static void set_address(json_t *c, const char *socket, const json_t *info)
{
	const char *mode = runtime_text(json_object_get(info, "HostConfig"), "NetworkMode");
	char path[256];
	json_t *other;

	if (strncmp(mode, "container:", 10)) {
		json_object_set_new(c, "ip",
				    json_string(address(json_object_get(info, "NetworkSettings"))));
		return;
	}
	snprintf(path, sizeof(path), "/containers/%.128s/json", mode + 10);
	other = get(socket, path);
	json_object_set_new(c, "ip",
			    json_string(address(json_object_get(other, "NetworkSettings"))));
	json_decref(other);
}

/* The name of the image is in the container's configuration, its digest and (if that name is an id)
 * its tags only with the image. */
static void set_image(json_t *c, const char *socket, const json_t *info)
{
	const char *name = runtime_text(json_object_get(info, "Config"), "Image");
	const char *id = runtime_text(info, "Image"), *tag, *digest;
	char path[256];
	json_t *image = NULL;

	id = strncmp(id, "sha256:", 7) ? id : id + 7;
	json_object_set_new(c, "imageid", json_stringn(id, strnlen(id, 12)));
	if (*id) {
		snprintf(path, sizeof(path), "/images/%.128s/json", id);
		image = get(socket, path);
	}
	tag = json_string_value(json_array_get(json_object_get(image, "RepoTags"), 0));
	digest = json_string_value(json_array_get(json_object_get(image, "RepoDigests"), 0));
	if (tag && (!*name || !strncmp(name, "sha256:", 7) || !strncmp(id, name, strlen(name))))
		name = tag;
	runtime_set_image(c, name);
	if (digest && strchr(digest, '@'))
		json_object_set_new(c, "imagedigest", json_string(strchr(digest, '@') + 1));
	json_decref(image);
}

static bool is_sandbox(const json_t *labels)
{
	return !strcmp(runtime_text(labels, "io.kubernetes.docker.type"), "podsandbox") ||
	       !strcmp(runtime_text(labels, "io.cri-containerd.kind"), "sandbox");
}

static json_t *from_answer(const char *socket, const json_t *info, const char *id, uint16_t type)
{
	json_t *config = json_object_get(info, "Config"),
	       *labels = json_object_get(config, "Labels");
	json_t *c = runtime_new(id, type, runtime_text(info, "Name"));

	set_image(c, socket, info);
	set_limits(c, json_object_get(info, "HostConfig"));
	set_ports(c, json_object_get(json_object_get(info, "NetworkSettings"), "Ports"));
	set_healthcheck(c, json_object_get(config, "Healthcheck"));
	set_address(c, socket, info);
	copy(c, "Mounts", json_object_get(info, "Mounts"));
	copy(c, "labels", labels);
	copy(c, "env", json_object_get(config, "Env"));
	copy(c, "User", json_object_get(config, "User"));
	json_object_set_new(c, "created_time",
			    json_integer(parse_time(runtime_text(info, "Created"))));
	json_object_set_new(c, "is_pod_sandbox", json_boolean(is_sandbox(labels)));
	return c;
}

json_t *runtime_ask_api(const char *socket, const char *id, uint16_t type)
{
	char path[256];
	json_t *info, *c = NULL;

	if (access(socket, R_OK | W_OK))
		return NULL;
	snprintf(path, sizeof(path), "/containers/%.64s/json", id);
	info = get(socket, path);
	if (info)
		c = from_answer(socket, info, id, type);
	json_decref(info);
	return c;
}
