// What every session and service works with. Made once by the node; everything in it outlives them.
#pragma once

#include "actors/cluster_view.hpp"
#include "actors/committed_view.hpp"
#include "actors/group_registry.hpp"
#include "actors/limits.hpp"
#include "actors/messages.hpp"
#include "actors/node_health.hpp"
#include "actors/producer_connections.hpp"
#include "actors/queue_owners.hpp"
#include "actors/wake_registry.hpp"
#include "broker/message_intake.hpp"
#include "config/node_config.hpp"
#include "storage/key_index.hpp"
#include "storage/log_reader.hpp"

#include <atomic>
#include <functional>

namespace holdfast::actors {

struct node_counters {
    std::atomic<std::uint64_t> messages_put{0};
    std::atomic<std::uint64_t> messages_got{0};
    std::atomic<std::uint64_t> bytes_in_flight{0}; // appended and not yet answered, all connections
};

struct session_environment {
    const config::node_config* config = nullptr;
    broker::intake_settings intake;
    std::string broker_address; // as routes advertise it: "127.0.0.1:10911"
    committed_view* view = nullptr;
    storage::entry_cache* cache = nullptr;
    storage::log_reader* reader = nullptr; // may block: only reader actors use it
    // nullptr until it has been opened, behind the start.
    std::atomic<storage::key_index*>* keys = nullptr;
    group_registry* groups = nullptr;
    wake_registry* waiters = nullptr;
    queue_owners* owners = nullptr;
    producer_connections* producers = nullptr;
    node_health* health = nullptr;
    const cluster_view* cluster = nullptr; // nullptr: this node is alone
    node_counters* counters = nullptr;
    std::size_t max_topics = limits::max_topics;
    std::size_t max_groups = limits::max_groups;
    std::function<timestamp_ms()> wall_clock;

    commit_log_actor log;
    mender_actor mender; // of a node that is not alone
    group_directory_actor directory;
    transaction_coordinator_actor transactions;
    retry_service_actor retries;
    delay_scheduler_actor delays;
    admin_actor admin;
    name_service_actor name_service;
    std::vector<reader_actor> readers;
};

// Why no more messages are taken for now, from whoever sends them: a slow disk must not fill the memory.
inline std::optional<broker::refusal> too_much_in_flight(const session_environment& environment) {
    if (environment.counters->bytes_in_flight.load(std::memory_order_relaxed) <=
        environment.config->max_bytes_in_flight)
        return std::nullopt;
    return broker::refusal{
        protocol::response_code::service_not_available,
        "[REJECTREQUEST] more than maxBytesInFlight are on their way to the disk, try again"};
}

// What stands in the log at `position`, as the state says, could not be read: has it looked after. What to
// answer: a record that "is not there" is rotten too, where retention has taken nothing.
inline error unreadable(const session_environment& environment, error why, log_position position) {
    if (why.code == errc::not_found && position >= environment.view->marks().first)
        why.code = errc::corrupted;
    if (environment.mender && why.code == errc::corrupted)
        caf::anon_send(environment.mender, rot_atom::value, position);
    return why;
}

} // namespace holdfast::actors
