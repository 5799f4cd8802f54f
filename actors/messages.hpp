// Every typed interface and every message between actors, on one page.
//
// Messages are local to this process and carry batches: their payloads are shared_ptr or small values, never
// copied byte by byte. (Replication will add the first interface that crosses the wire.)
//
//   produce   connection > producer_session > commit_log > flusher > commit_log > producer_session >
//   connection consume   connection > consumer_session (committed_view, entry_cache) > connection
//             connection > consumer_session > reader (what only the disk has) > connection
//   groups    consumer_session > group_directory > consumer_group > commit_log > consumer_group
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/replica.hpp"
#include "broker/state_store.hpp"
#include "network/connection.hpp"
#include "network/frame_batch.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/requests.hpp"

#include <caf/all.hpp>

#include <memory>
#include <string>
#include <vector>

namespace holdfast::actors {

// --- frames from a connection to a session
// ----------------------------------------------------------------------------

// Those frames of one read that are for this receiver, in the order they arrived.
struct session_frames {
    network::frame_batch frames;
    std::vector<std::uint32_t> chosen; // indexes into `frames`
};
using session_frames_ptr = std::shared_ptr<const session_frames>;
using connection_ptr = std::shared_ptr<network::connection>;

// --- appending
// ----------------------------------------------------------------------------------------------------------

// What became of an appended batch. `failure` empty: committed, and visible to consumers.
struct batch_outcome {
    std::uint64_t ticket = 0; // the appender's own
    log_position position;    // of the entry
    std::vector<queue_offset> offsets;
    std::optional<error> failure;
};
using batch_outcomes_ptr = std::shared_ptr<const std::vector<batch_outcome>>;

using frames_atom = caf::atom_constant<caf::atom("frames")>;
using closed_atom = caf::atom_constant<caf::atom("closed")>;
using append_atom = caf::atom_constant<caf::atom("append")>;
using outcome_atom = caf::atom_constant<caf::atom("outcome")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using flushed_atom = caf::atom_constant<caf::atom("flushed")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using start_atom = caf::atom_constant<caf::atom("start")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using save_atom = caf::atom_constant<caf::atom("save")>;
using saved_atom = caf::atom_constant<caf::atom("saved")>;
using trim_atom = caf::atom_constant<caf::atom("trim")>;
using plan_atom = caf::atom_constant<caf::atom("plan")>;
using index_atom = caf::atom_constant<caf::atom("index")>;
using arrived_atom = caf::atom_constant<caf::atom("arrived")>;
using read_atom = caf::atom_constant<caf::atom("read")>;
using join_atom = caf::atom_constant<caf::atom("join")>;
using leave_atom = caf::atom_constant<caf::atom("leave")>;
using commit_atom = caf::atom_constant<caf::atom("commit")>;
using query_atom = caf::atom_constant<caf::atom("query")>;
using drained_atom = caf::atom_constant<caf::atom("drained")>;

// Learns what became of the batches it appended; one message for all of a turn.
using appender_actor = caf::typed_actor<caf::reacts_to<outcome_atom, batch_outcomes_ptr>>;

// An entry to append; the commit log takes the draft out of it.
struct append_request {
    broker::entry_draft draft;
    std::uint64_t ticket = 0;
    appender_actor appender;
};
using append_request_ptr = std::shared_ptr<append_request>;

// --- the log
// ------------------------------------------------------------------------------------------------------------

using flush_request_ptr = std::shared_ptr<const broker::flush_request>;

struct flush_report {
    log_position until;
    log_position durable;
    std::optional<error> failure;
};

using flusher_actor = caf::typed_actor<caf::reacts_to<flush_atom, flush_request_ptr>>;

struct checkpoint_job {
    broker::checkpoint_builder::checkpoint checkpoint;
    log_position applied;
};
using checkpoint_job_ptr = std::shared_ptr<checkpoint_job>;

// Where the queues begin once the log does at `first`.
struct trim_plan {
    log_position first;
    std::vector<std::pair<queue_key, queue_offset>> firsts;
};
using trim_plan_ptr = std::shared_ptr<const trim_plan>;

// Writes checkpoints into the derived store and carries out retention, off the commit log's thread.
using checkpointer_actor =
    caf::typed_actor<caf::reacts_to<save_atom, checkpoint_job_ptr>,
                     // Plans the removal of what lies below; the plan goes to the commit log.
                     caf::reacts_to<plan_atom, log_position>,
                     // The trim is in the log: remove the segments.
                     caf::reacts_to<trim_atom, log_position>>;

using key_indexer_actor = caf::typed_actor<caf::reacts_to<index_atom, log_position>>;

// One replica: drives broker/replica; the only writer of the log and of the committed view.
using commit_log_actor = caf::typed_actor<
    caf::reacts_to<start_atom>, caf::reacts_to<append_atom, append_request_ptr>,
    caf::reacts_to<flushed_atom, flush_report>, caf::reacts_to<saved_atom, bool>, caf::reacts_to<tick_atom>,
    // Retention: writes the snapshot that lets the log begin later, then has the segments removed.
    caf::reacts_to<trim_atom, trim_plan_ptr>,
    // Stops taking batches; answers when everything appended is flushed, answered and checkpointed.
    caf::replies_to<stop_atom>::with<drained_atom>>;

// --- sessions
// -----------------------------------------------------------------------------------------------------------

using producer_session_actor =
    caf::typed_actor<caf::reacts_to<frames_atom, session_frames_ptr>,
                     caf::reacts_to<outcome_atom, batch_outcomes_ptr>, caf::reacts_to<closed_atom>>;

using consumer_session_actor = caf::typed_actor<caf::reacts_to<frames_atom, session_frames_ptr>,
                                                caf::reacts_to<arrived_atom, std::vector<std::uint32_t>>,
                                                caf::reacts_to<tick_atom>, caf::reacts_to<closed_atom>>;

// Requests that may block on the disk; answers the connection itself.
struct read_job {
    connection_ptr connection;
    network::frame_batch frames; // keeps the bytes
    std::uint32_t frame = 0;
};
using read_job_ptr = std::shared_ptr<const read_job>;
using reader_actor = caf::typed_actor<caf::reacts_to<read_atom, read_job_ptr>>;

// Requests that only look at the committed view or change topics and groups: routes, administration.
struct admin_job {
    connection_ptr connection;
    session_frames_ptr frames;
};
using admin_job_ptr = std::shared_ptr<const admin_job>;
using admin_actor = caf::typed_actor<caf::reacts_to<start_atom>, // makes the built-in topics
                                     caf::reacts_to<frames_atom, admin_job_ptr>,
                                     caf::reacts_to<outcome_atom, batch_outcomes_ptr>>;
using name_service_actor = caf::typed_actor<caf::reacts_to<frames_atom, admin_job_ptr>>;

// --- consumer groups
// ----------------------------------------------------------------------------------------------------

// A member's heartbeat, one group's part of it.
struct group_member {
    connection_ptr connection;
    std::string client_id;
    protocol::language language{};
    std::int32_t version = 0;
    protocol::consumer_data consumer;
};
using group_member_ptr = std::shared_ptr<const group_member>;

// What one connection commits or asks about, within one group.
struct offsets_commit_request {
    std::string group;
    broker::offset_commit commit;
    connection_ptr connection; // null: nobody wants an answer
    protocol::answer_to answer;
};
using offsets_commit_request_ptr = std::shared_ptr<const offsets_commit_request>;

// One group: members, subscriptions, rebalance notices, offsets on their way into the log.
using consumer_group_actor = caf::typed_actor<
    // Registers or refreshes a member; answers when the group and its retry topic are in the log.
    caf::replies_to<join_atom, group_member_ptr>::with<bool>, caf::reacts_to<leave_atom, connection_id>,
    caf::reacts_to<commit_atom, offsets_commit_request_ptr>,
    // The newest offset it knows, on its way into the log or in it; -1: none.
    caf::replies_to<query_atom, queue_key>::with<std::int64_t>,
    caf::reacts_to<outcome_atom, batch_outcomes_ptr>, caf::reacts_to<tick_atom>>;

// Finds, or makes, the actor of a group and passes requests on to it.
using group_directory_actor =
    caf::typed_actor<caf::replies_to<join_atom, group_member_ptr>::with<bool>,
                     caf::reacts_to<leave_atom, std::string, connection_id>,
                     caf::reacts_to<commit_atom, offsets_commit_request_ptr>,
                     caf::replies_to<query_atom, std::string, queue_key>::with<std::int64_t>,
                     caf::reacts_to<tick_atom>>;

} // namespace holdfast::actors

#define HOLDFAST_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(type)

HOLDFAST_LOCAL_MESSAGE(holdfast::actors::session_frames_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::batch_outcomes_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::append_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::flush_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::flush_report)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::checkpoint_job_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::trim_plan_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::read_job_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::admin_job_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::group_member_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::offsets_commit_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::log_position)
HOLDFAST_LOCAL_MESSAGE(holdfast::queue_key)
HOLDFAST_LOCAL_MESSAGE(holdfast::connection_id)

#undef HOLDFAST_LOCAL_MESSAGE
