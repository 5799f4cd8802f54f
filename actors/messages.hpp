// Every typed interface and every message between actors, on one page.
//
// Messages are local to this process and carry batches: their payloads are shared_ptr or small values, never
// copied byte by byte. The one interface that crosses the wire is peer_frame.hpp's.
//
//   produce   connection > producer_session > commit_log > flusher > commit_log > producer_session >
//   connection consume   connection > consumer_session (committed_view, entry_cache) > connection
//             connection > consumer_session > reader (what only the disk has) > connection
//   replicate commit_log > placement => a follower's endpoint => its commit_log > its flusher > ... back
//   groups    consumer_session > group_directory > consumer_group > commit_log > consumer_group
#pragma once

#include "actors/follower_stays.hpp"
#include "actors/peer_frame.hpp"
#include "actors/reader_load.hpp"
#include "actors/service_load.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/replica.hpp"
#include "broker/state_store.hpp"
#include "network/connection.hpp"
#include "network/frame_batch.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/queue_bodies.hpp"
#include "protocol/requests.hpp"
#include "protocol/tags.hpp"

#include <caf/all.hpp>

#include <memory>
#include <optional>
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
using lock_atom = caf::atom_constant<caf::atom("lock")>;
using reset_atom = caf::atom_constant<caf::atom("reset")>;
using moved_atom = caf::atom_constant<caf::atom("moved")>;
using halves_atom = caf::atom_constant<caf::atom("halves")>;
using cut_atom = caf::atom_constant<caf::atom("cut")>;
using raft_atom = caf::atom_constant<caf::atom("raft")>;
using joined_atom = caf::atom_constant<caf::atom("joined")>;
using rot_atom = caf::atom_constant<caf::atom("rot")>;
using standing_atom = caf::atom_constant<caf::atom("standing")>;

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

using flusher_actor = caf::typed_actor<caf::reacts_to<flush_atom, flush_request_ptr>,
                                       // Cut the log there: broker::effects::truncate.
                                       caf::reacts_to<cut_atom, log_position>>;

// What a follower lacks, none of it at or beyond `end`.
struct wanted_entries {
    consensus::entries_wanted what;
    log_position end;
};
using entries_wanted_ptr = std::shared_ptr<const wanted_entries>;
using entries_read_ptr = std::shared_ptr<broker::entries_read>;
using replicator_actor = caf::typed_actor<caf::reacts_to<read_atom, entries_wanted_ptr>>;

// Rotten records: fetches them from the other nodes, and answers those that ask for theirs. A
// cluster_events_actor too, for a start that can't get as far as a commit log.
using mender_actor = caf::typed_actor<
    // Looks through the log it was given an order for.
    caf::reacts_to<start_atom>,
    // Something at this position can't be read: look there. Said as often as one likes.
    caf::reacts_to<rot_atom, log_position>, caf::reacts_to<tick_atom>,
    caf::reacts_to<peer_atom, std::string, peer_frame>,
    caf::reacts_to<found_atom, std::string, std::string, std::string>,
    caf::reacts_to<lost_atom, std::string>>;

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
using checkpointer_actor = caf::typed_actor<caf::reacts_to<save_atom, checkpoint_job_ptr>,
                                            // Plans that the log begins at the first position
                                            // (reference_ledger::limit); the plan goes to the commit log.
                                            caf::reacts_to<plan_atom, log_position, log_position>,
                                            // The trim is in the log: remove the segments.
                                            caf::reacts_to<trim_atom, log_position>>;

using key_indexer_actor = caf::typed_actor<caf::reacts_to<index_atom, log_position>>;

// What the transaction coordinator asks about undecided halves, and hears.
struct half_query {
    timestamp_ms now;
    std::size_t most_new = 0;
    std::vector<log_position> due;
};
using half_query_ptr = std::shared_ptr<const half_query>;
struct half_report {
    std::vector<broker::half_message>
        grown_old; // that it was not told of: at most most_new, fewer if no more
    std::vector<broker::half_message> undecided; // of those in `due`, in their order
};
using half_report_ptr = std::shared_ptr<const half_report>;

// One replica: drives broker/replica; the only writer of the log and of the committed view.
using commit_log_actor = caf::typed_actor<
    caf::reacts_to<start_atom>, caf::reacts_to<append_atom, append_request_ptr>,
    caf::reacts_to<flushed_atom, flush_report>, caf::reacts_to<saved_atom, bool>, caf::reacts_to<tick_atom>,
    // The other nodes of the group: cluster_events_actor.
    caf::reacts_to<peer_atom, std::string, peer_frame>,
    caf::reacts_to<found_atom, std::string, std::string, std::string>, caf::reacts_to<lost_atom, std::string>,
    caf::reacts_to<raft_atom>, caf::reacts_to<read_atom, entries_read_ptr>,
    caf::reacts_to<cut_atom, flush_report>,
    // Retention: the log shall begin at the position, but nothing goes that is younger than the time or
    // waits.
    caf::reacts_to<plan_atom, log_position, timestamp_ms>,
    // Writes the snapshot that lets the log begin later, then has the segments removed.
    caf::reacts_to<trim_atom, trim_plan_ptr>,
    caf::replies_to<halves_atom, half_query_ptr>::with<half_report_ptr>,
    // Whether this node led at some time since it was asked (broker::standing_asked).
    caf::replies_to<standing_atom>::with<bool>,
    // Stops taking batches; answers when everything appended is flushed, answered and checkpointed.
    caf::replies_to<stop_atom>::with<drained_atom>>;

// --- sessions
// -----------------------------------------------------------------------------------------------------------

using producer_session_actor =
    caf::typed_actor<caf::reacts_to<frames_atom, session_frames_ptr>,
                     caf::reacts_to<outcome_atom, batch_outcomes_ptr>, caf::reacts_to<closed_atom>>;

// Queues of a group that an operator has moved: pulls of them that are held must be answered.
struct moved_queues {
    std::string group;
    std::vector<queue_key> queues;
};
using moved_queues_ptr = std::shared_ptr<const moved_queues>;

using consumer_session_actor = caf::typed_actor<
    caf::reacts_to<frames_atom, session_frames_ptr>, caf::reacts_to<arrived_atom, std::vector<std::uint32_t>>,
    caf::reacts_to<moved_atom, moved_queues_ptr>, caf::reacts_to<tick_atom>, caf::reacts_to<closed_atom>>;

// Requests that may block on the disk; answers the connection itself.
struct read_job {
    connection_ptr connection;
    network::frame_batch frames; // keeps the bytes
    std::uint32_t frame = 0;
    reader_load::slot slot; // of the session's
    // The rest for a node that does not lead (follower_answers).
    bool as_follower = false;
    bool may_stay = false;                      // the consumer need not ask the leader next
    sent_away_ptr sent;                         // to the leader, before; null: not known
    bool topic_is_new = false;                  // the consumer's last pull was of one that is gone
    std::optional<protocol::tag_filter> filter; // of a pull, as the group's heartbeats here say
};
using read_job_ptr = std::shared_ptr<const read_job>;
using reader_actor =
    caf::typed_actor<caf::reacts_to<read_atom, read_job_ptr>,
                     caf::reacts_to<tick_atom>, // pulls that were held
                     // The first offset of the queue whose message was stored at the time or later.
                     caf::replies_to<query_atom, queue_key, timestamp_ms>::with<std::int64_t>>;

// Requests that only look at the committed view or change topics and groups: routes, administration.
struct admin_job {
    connection_ptr connection;
    session_frames_ptr frames;
    service_load::share share{}; // of what the connection may have waiting
};
using admin_job_ptr = std::shared_ptr<const admin_job>;
using admin_actor = caf::typed_actor<caf::reacts_to<start_atom>, // makes the built-in topics
                                     caf::reacts_to<frames_atom, admin_job_ptr>,
                                     caf::reacts_to<outcome_atom, batch_outcomes_ptr>>;
using name_service_actor = caf::typed_actor<caf::reacts_to<frames_atom, admin_job_ptr>>;

// Asks producers what became of undecided transactions.
using transaction_coordinator_actor =
    caf::typed_actor<caf::reacts_to<tick_atom>,
                     // Producer groups that had no connection and have one now.
                     caf::reacts_to<joined_atom, std::vector<std::string>>,
                     caf::reacts_to<outcome_atom, batch_outcomes_ptr>>;

// Both detached: they read the log and the derived store.
using retry_service_actor = caf::typed_actor<caf::reacts_to<frames_atom, admin_job_ptr>,
                                             caf::reacts_to<outcome_atom, batch_outcomes_ptr>>;
using delay_scheduler_actor =
    caf::typed_actor<caf::reacts_to<frames_atom, admin_job_ptr>,
                     caf::reacts_to<outcome_atom, batch_outcomes_ptr>, caf::reacts_to<tick_atom>>;

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

// An offset that a connection commits for a group.
struct offsets_commit_request {
    std::string group;
    broker::offset_commit commit;
    connection_ptr connection;
    bool answered = false; // it wants to hear when it is durable
    bool by_tool = false;  // an operator's word
    protocol::answer_to answer;
};
using offsets_commit_request_ptr = std::shared_ptr<const offsets_commit_request>;

using queue_offsets = std::vector<std::pair<queue_key, queue_offset>>;
using queue_offsets_ptr = std::shared_ptr<const queue_offsets>;

// An operator moves a group's offsets.
struct offsets_reset_request {
    std::string group;
    std::string topic;
    queue_offsets targets;
    bool only_backwards = false; // offsets that are at or below their target stay
    // What the members are told (request 220).
    timestamp_ms timestamp{-1};
    bool is_forced = false;
    protocol::language language = protocol::language::java;
};
using offsets_reset_request_ptr = std::shared_ptr<const offsets_reset_request>;

// One client's request for locks of a group, or to give them up.
struct queue_lock_request {
    std::string group;
    std::string client_id;
    bool unlocks = false;
    std::vector<queue_key> queues;              // rising, each once
    std::vector<protocol::message_queue> names; // of the same queues, as the client writes them
    connection_ptr connection;                  // null: nobody wants an answer
    protocol::answer_to answer;
};
using queue_lock_request_ptr = std::shared_ptr<const queue_lock_request>;

// What a group answers when it is asked for an offset that it has not stored.
inline constexpr std::int64_t no_offset_in_topic = -1; // nor for another queue of the topic
inline constexpr std::int64_t no_offset_in_queue = -2; // but for another one

// One group: members, subscriptions, rebalance notices, offsets on their way into the log.
using consumer_group_actor = caf::typed_actor<
    // Registers or refreshes a member; answers when the group and its retry topic are in the log.
    caf::replies_to<join_atom, group_member_ptr>::with<bool>, caf::reacts_to<leave_atom, connection_id>,
    caf::reacts_to<commit_atom, offsets_commit_request_ptr>,
    // The newest offset it knows, on its way into the log or in it, or no_offset_in_*.
    caf::replies_to<query_atom, queue_key>::with<std::int64_t>,
    // Answers with the offsets of all the targets when they are durable; members then learn of it.
    caf::replies_to<reset_atom, offsets_reset_request_ptr>::with<queue_offsets_ptr>,
    caf::reacts_to<lock_atom, queue_lock_request_ptr>, caf::reacts_to<outcome_atom, batch_outcomes_ptr>,
    caf::reacts_to<tick_atom>,
    // Answers when every commit so far is durable.
    caf::replies_to<stop_atom>::with<drained_atom>>;

// Finds, or makes, the actor of a group and passes requests on to it.
using group_directory_actor =
    caf::typed_actor<caf::replies_to<join_atom, group_member_ptr>::with<bool>,
                     caf::reacts_to<leave_atom, std::string, connection_id>,
                     caf::reacts_to<commit_atom, offsets_commit_request_ptr>,
                     caf::replies_to<query_atom, std::string, queue_key>::with<std::int64_t>,
                     caf::replies_to<reset_atom, offsets_reset_request_ptr>::with<queue_offsets_ptr>,
                     caf::reacts_to<lock_atom, queue_lock_request_ptr>, caf::reacts_to<tick_atom>,
                     caf::replies_to<stop_atom>::with<drained_atom>>;

} // namespace holdfast::actors

#define HOLDFAST_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(type)

HOLDFAST_LOCAL_MESSAGE(holdfast::actors::session_frames_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::batch_outcomes_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::append_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::flush_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::flush_report)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::entries_wanted_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::entries_read_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::checkpoint_job_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::trim_plan_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::half_query_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::half_report_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::read_job_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::admin_job_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::group_member_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::offsets_commit_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::offsets_reset_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::queue_offsets_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::queue_lock_request_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::actors::moved_queues_ptr)
HOLDFAST_LOCAL_MESSAGE(holdfast::log_position)
HOLDFAST_LOCAL_MESSAGE(holdfast::timestamp_ms)
HOLDFAST_LOCAL_MESSAGE(holdfast::queue_key)
HOLDFAST_LOCAL_MESSAGE(holdfast::connection_id)

#undef HOLDFAST_LOCAL_MESSAGE
