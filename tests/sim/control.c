/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: connections, one thread each, and the way from a line of JSON to a command.
 */
#include <stdarg.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control.h"
#include "request.h"

struct connection {
	struct control *control;
	int fd;
	LIST_ENTRY(connection) link;
};

LIST_HEAD(connection_list, connection);

struct control {
	struct sim *sim;
	char *path;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t gone;
	bool stopping;
	struct connection_list connections;
};

int command_error(char **ret_error, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_error, format, args) < 0)
		*ret_error = NULL;
	va_end(args);
	return error;
}

int command_number(struct json_object *request, const char *key, uint64_t *ret, char **ret_error)
{
	if (!json_object_object_get_ex(request, key, NULL))
		return command_error(ret_error, -EINVAL, "%s: is wanted", key);
	if (request_number(request, key, 0, ret) < 0)
		return command_error(ret_error, -EINVAL, "%s: a number is wanted", key);
	return 0;
}

static const struct command *find_command(const char *name)
{
	static const struct command *const tables[] = { host_commands, device_commands,
							admin_commands, memory_commands };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct command *c = tables[i]; c->name; c++)
			if (streq(c->name, name))
				return c;
	return NULL;
}

static int run(struct sim *sim, struct json_object *request, struct json_object *reply,
	       char **ret_error)
{
	const struct command *command;
	const char *name, *key;
	int r;

	if (!json_object_is_type(request, json_type_object))
		return command_error(ret_error, -EINVAL, "a line with one JSON object is wanted");
	name = request_string(request, "cmd", NULL);
	if (!name)
		return command_error(ret_error, -EINVAL, "\"cmd\" is missing");
	command = find_command(name);
	if (!command)
		return command_error(ret_error, -EOPNOTSUPP, "unknown command \"%s\"", name);
	if (command->keys && !request_has_only(request, command->keys, &key))
		return command_error(ret_error, -EINVAL, "%s: unknown key \"%s\"", name, key);

	(void)pthread_mutex_lock(&sim->lock);
	if (command->logged)
		log_add_string(log_entry(&sim->log, "control"), "cmd", name);
	r = command->run(sim, request, reply, ret_error);
	if (command->logged)
		sim_settle(sim);
	(void)pthread_mutex_unlock(&sim->lock);
	return r;
}

/* One line in, one line out. The text is the caller's to free; NULL: no memory. */
static char *answer(struct sim *sim, const char *line)
{
	struct json_object *request = json_tokener_parse(line);
	struct json_object *reply = json_object_new_object(), *id;
	_cleanup_free_ char *message = NULL;
	char *text;
	int r;

	r = run(sim, request, reply, &message);
	if (json_object_is_type(request, json_type_object) &&
	    json_object_object_get_ex(request, "id", &id))
		json_object_object_add(reply, "id", json_object_get(id));
	log_add_bool(reply, "ok", r >= 0);
	if (r < 0) {
		log_add_error(reply, r);
		log_add_string(reply, "message", message ? message : strerror(-r));
	}
	/* Entries of the log are shared with the reply: not without the lock. */
	(void)pthread_mutex_lock(&sim->lock);
	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(
			     reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		text = NULL;
	json_object_put(reply);
	json_object_put(request);
	(void)pthread_mutex_unlock(&sim->lock);
	return text;
}

static bool send_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		left -= (size_t)n;
	}
	return true;
}

static void *connection_main(void *userdata)
{
	struct connection *connection = userdata;
	struct control *control = connection->control;
	_cleanup_free_ char *line = NULL;
	int fd = dup(connection->fd);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		_cleanup_free_ char *text = answer(control->sim, line);

		if (!text || !send_all(connection->fd, text))
			break;
	}
	if (f)
		(void)fclose(f);
	else
		(void)safe_close(fd);

	(void)pthread_mutex_lock(&control->lock);
	LIST_REMOVE(connection, link);
	(void)close(connection->fd);
	free(connection);
	(void)pthread_cond_broadcast(&control->gone);
	(void)pthread_mutex_unlock(&control->lock);
	return NULL;
}

static void connection_start(struct control *control, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	pthread_t thread;
	bool started = false;

	if (!connection) {
		(void)close(fd);
		return;
	}
	connection->control = control;
	connection->fd = fd;
	(void)pthread_mutex_lock(&control->lock);
	if (!control->stopping) {
		LIST_INSERT_HEAD(&control->connections, connection, link);
		started = pthread_create(&thread, NULL, connection_main, connection) == 0;
		if (started)
			(void)pthread_detach(thread);
		else
			LIST_REMOVE(connection, link);
	}
	(void)pthread_mutex_unlock(&control->lock);
	if (!started) {
		(void)close(fd);
		free(connection);
	}
}

static void *control_main(void *userdata)
{
	struct control *control = userdata;

	for (;;) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			connection_start(control, fd);
		else if (errno == EINVAL || errno == EBADF)
			return NULL; /* shut down */
		else if (errno != EINTR && errno != ECONNABORTED)
			usleep(10000); /* out of descriptors: some will come back */
	}
}

int control_start(struct sim *sim, const char *path, struct control **ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control *control;
	int r;

	if (str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
		return -ENAMETOOLONG;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->sim = sim;
	(void)pthread_mutex_init(&control->lock, NULL);
	(void)pthread_cond_init(&control->gone, NULL);
	(void)unlink(path);
	control->path = strdup(path);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!control->path || control->fd < 0 ||
	    bind(control->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0600) < 0 || listen(control->fd, 16) < 0) {
		r = control->path ? -errno : -ENOMEM;
	} else {
		r = -pthread_create(&control->thread, NULL, control_main, control);
		if (r == 0) {
			*ret = control;
			return 0;
		}
	}
	(void)safe_close(control->fd);
	(void)pthread_cond_destroy(&control->gone);
	(void)pthread_mutex_destroy(&control->lock);
	free(control->path);
	free(control);
	return r;
}

void control_stop(struct control *control)
{
	struct connection *connection;

	if (!control)
		return;
	(void)pthread_mutex_lock(&control->lock);
	control->stopping = true;
	LIST_FOREACH(connection, &control->connections, link)
		(void)shutdown(connection->fd, SHUT_RDWR);
	while (!LIST_EMPTY(&control->connections))
		(void)pthread_cond_wait(&control->gone, &control->lock);
	(void)pthread_mutex_unlock(&control->lock);

	(void)shutdown(control->fd, SHUT_RDWR);
	(void)pthread_join(control->thread, NULL);
	(void)close(control->fd);
	(void)unlink(control->path);
	(void)pthread_cond_destroy(&control->gone);
	(void)pthread_mutex_destroy(&control->lock);
	free(control->path);
	free(control);
}
