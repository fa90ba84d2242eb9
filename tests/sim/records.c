/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's event thread: takes the devices' records one by one, traces each, and after the
 * set delay lets the rules act on it. Also the devices' own clock: repeats, chains that time out.
 */
#include "sim.h"

int outcome_to_error(enum engine_outcome outcome)
{
	switch (outcome) {
	case ENGINE_BUSY:
		return -EBUSY;
	case ENGINE_ADD_REFUSED:
	case ENGINE_NO_MATCH:
	case ENGINE_FAILED:
		return -EINVAL;
	case ENGINE_NO_REGION:
	case ENGINE_STAGED:
	case ENGINE_ADDED:
	case ENGINE_RELEASED:
	case ENGINE_IGNORED:
		break;
	}
	return 0;
}

const char *rule_outcome_to_string(enum engine_outcome outcome)
{
	static const char *const names[] = {
		[ENGINE_STAGED] = "staged",	  [ENGINE_ADDED] = "added",
		[ENGINE_ADD_REFUSED] = "refused", [ENGINE_RELEASED] = "released",
		[ENGINE_BUSY] = "busy",		  [ENGINE_NO_MATCH] = "no-match",
		[ENGINE_NO_REGION] = "no-region", [ENGINE_IGNORED] = "ignored",
		[ENGINE_FAILED] = "failed",
	};

	return (size_t)outcome < ARRAY_SIZE(names) && names[outcome] ? names[outcome] : "unknown";
}

void record_fill(struct probe_record *record, const struct dc_event *event)
{
	/* CXL 3.1, table 8-50: the UUID of Dynamic Capacity Event Records. */
	static const uint8_t header_uuid[16] = { 0xca, 0x95, 0xaf, 0xa7, 0xf1, 0x83, 0x40, 0x18,
						 0x8c, 0x2f, 0x95, 0x26, 0x8e, 0x10, 0x1a, 0x2a };
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	*record = (struct probe_record){
		.log = 4, /* the dynamic capacity event log */
		.serial = event->serial,
		.hdr_flags = 1,
		.hdr_handle = event->handle,
		.hdr_timestamp = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec,
		.hdr_length = 128,
		.event_type = event->type,
		.updated_region_index = event->region_index,
		.dpa_start = event->dpa.start,
		.length = event->dpa.length,
		.sh_extent_seq = event->sequence,
	};
	memcpy(record->hdr_uuid, header_uuid, sizeof(header_uuid));
	memcpy(record->uuid, event->tag.bytes, sizeof(record->uuid));
	(void)str_copy(record->memdev, sizeof(record->memdev), event->memdev);
	(void)str_copy(record->host, sizeof(record->host), event->host);
}

int records_wait(struct sim *sim, uint64_t ticket)
{
	uint64_t generation = sim->generation;

	while (sim->handled < ticket) {
		(void)sim_wait(sim, USEC_INFINITY);
		if (sim->stopping || sim->generation != generation)
			return -ECANCELED;
	}
	return 0;
}

static void log_outcome(struct sim *sim, const struct sim_outcome *outcome)
{
	struct json_object *entry = log_entry(&sim->log, "outcome");
	const struct dc_event *event = &outcome->event;
	char tag[TAG_STRLEN + 1];

	log_add_string(entry, "event", dc_event_type_to_string(event->type));
	log_add_string(entry, "memdev", event->memdev);
	log_add_string(entry, "tag", tag_format(&event->tag, tag));
	log_add_number(entry, "dpa", event->dpa.start);
	log_add_number(entry, "length", event->dpa.length);
	log_add_string(entry, "outcome", rule_outcome_to_string(outcome->outcome));
	log_add_error(entry, outcome_to_error(outcome->outcome));
}

/* One record from trace to rule. False: there is none. Lock held. */
static bool handle_one(struct sim *sim)
{
	struct engine_record record;
	struct sim_outcome *outcome;
	uint64_t generation = sim->generation;
	usec_t due;

	if (engine_record_trace(sim->engine, &record) != 1)
		return false;
	due = usec_add(now_usec(CLOCK_MONOTONIC), sim->settings.rule_delay_ms * USEC_PER_MSEC);
	if (sim->settings.rule_delay_ms) {
		while (now_usec(CLOCK_MONOTONIC) < due) {
			(void)sim_wait(sim, due);
			if (sim->stopping || sim->generation != generation)
				return true; /* that kernel is gone */
		}
	}
	outcome = &sim->outcomes[sim->handled % SIM_OUTCOMES];
	outcome->event = record.event;
	outcome->outcome = (enum engine_outcome)engine_record_handle(sim->engine, &record);
	log_outcome(sim, outcome);
	sim->handled++;
	sim_settle(sim);
	return true;
}

/* Lets every device repeat what was refused, if that is set and due. Returns when to come again. */
static usec_t retry_if_due(struct sim *sim)
{
	usec_t now = now_usec(CLOCK_MONOTONIC), interval = sim->settings.retry_ms * USEC_PER_MSEC;
	bool wanted = false;

	if (!interval) {
		sim->next_retry = USEC_INFINITY;
		return USEC_INFINITY;
	}
	for (unsigned i = 0; i < sim->n_memdevs && !wanted; i++) {
		char name[DEV_NAME_MAX];

		snprintf(name, sizeof(name), "mem%u", i);
		wanted = engine_device_wanted(sim->engine, name) > 0;
	}
	if (!wanted) {
		sim->next_retry = USEC_INFINITY;
	} else if (sim->next_retry == USEC_INFINITY) {
		sim->next_retry = now + interval;
	} else if (sim->next_retry <= now) {
		for (unsigned i = 0; i < sim->n_memdevs; i++) {
			char name[DEV_NAME_MAX];
			int n;

			snprintf(name, sizeof(name), "mem%u", i);
			n = engine_device_retry(sim->engine, name);
			if (n > 0)
				sim->queued += (uint64_t)n;
		}
		sim->next_retry = now + interval;
	}
	return sim->next_retry;
}

void *records_main(void *userdata)
{
	struct sim *sim = userdata;

	(void)pthread_mutex_lock(&sim->lock);
	while (!sim->stopping) {
		usec_t retry, timeout;

		while (!sim->stopping && handle_one(sim))
			;
		if (sim->stopping)
			break;
		timeout = engine_next_timeout(sim->engine);
		if (timeout <= now_usec(CLOCK_MONOTONIC)) {
			engine_tick(sim->engine);
			sim_settle(sim);
			continue;
		}
		retry = retry_if_due(sim);
		if (sim->handled < sim->queued)
			continue;
		(void)sim_wait(sim, MIN(retry, timeout));
	}
	(void)pthread_mutex_unlock(&sim->lock);
	return NULL;
}
