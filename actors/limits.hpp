// Limits of the sessions, by name. Those of the sockets are in network/limits.hpp, those of the wire in
// protocol/limits.hpp; the configurable ones are read from config/node_config.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::actors::limits {

// The log writes a session's messages in entries of about this size; one larger message makes a larger entry.
inline constexpr std::size_t entry_target_bytes = 1U << 20U;
// Topics of one broker; each costs a few hundred bytes of memory and a line in every route answer.
inline constexpr std::size_t max_topics = 1'000'000;
// Consumer groups, and groups with an actor; a client that invents group names stops here.
inline constexpr std::size_t max_groups = 100'000;
// Index entries that one pull looks through for a matching tag before it answers "nothing here, go on".
inline constexpr std::size_t max_examined_per_pull = 16'384;
inline constexpr std::size_t index_read_chunk = 1'024;
// Bytes of records in one answer to a pull, whatever it asks for (the first record always goes).
inline constexpr std::size_t max_pull_bytes = 4U << 20U;
// The same for an answer to a query by key, which may find many large ones.
inline constexpr std::size_t max_query_bytes = 8U << 20U;
// Answers that wait for the client to read them: above this a consumer session lets further requests of its
// connection wait, and looks again after `drain_tick`. The network stops reading at half of it, but one read
// can bring thousands of pulls.
inline constexpr std::size_t max_unread_answer_bytes = 16U << 20U;
inline constexpr std::chrono::milliseconds drain_tick{5};
// Services that all connections share send what they have answered so far when it is this much.
inline constexpr std::size_t answer_chunk_bytes = 1U << 20U;
// What readers may have to do for one session; its other requests wait then.
inline constexpr std::size_t max_reader_jobs = 64;
// What one connection may have waiting in the services that all share: routes, administration, send-backs,
// recalls. A job counts for at least what its read buffer may hold.
inline constexpr std::size_t max_service_bytes = 4U << 20U;
inline constexpr std::size_t service_job_bytes = 64U << 10U;
// A message may be delivered this far in the future at most. The log keeps it until then.
inline constexpr std::chrono::milliseconds longest_delay{std::chrono::hours{40 * 24}};
// How often it is looked for delayed messages that are due: they are late by this, at most, and a flush or
// two.
inline constexpr std::chrono::milliseconds delay_tick{10};
// Between two looks into the table on the disk when nothing in it is due soon; and after a failure.
inline constexpr std::chrono::milliseconds delay_rest{500};
inline constexpr std::size_t max_deliveries_per_entry = 4'096;
inline constexpr std::size_t max_recalls_waiting = 10'000;
// How long a pull may be held: well below the 30 s at which clients give up (trap T18).
inline constexpr std::chrono::milliseconds max_suspend{20'000};
// A consumer that reads from a follower asks the leader so often, which alone knows of resets and owners.
inline constexpr std::chrono::seconds follower_stay{5};
// Without a leader a follower holds pulls that it has nothing for, or consumers would ask without a pause;
// and those of consumers that come back with what they were sent to the leader with, as they take this node
// for it.
inline constexpr std::chrono::milliseconds leaderless_hold{1'000};
inline constexpr std::size_t max_held_per_reader = 10'000;
// What a follower remembers of one connection: subscriptions, and queues that are pulled.
inline constexpr std::size_t max_heard_subscriptions = 1'000;
inline constexpr std::size_t max_followed_queues = 10'000;
// Queues whose topic a consumer session remembers, group by group.
inline constexpr std::size_t max_pulled_queues = 10'000;
// How often held pulls are looked at for their time-out; an answer is late by at most this.
inline constexpr std::chrono::milliseconds suspend_tick{200};
// Members that a group forgets when they fall silent (protocol reference 6.13).
inline constexpr std::chrono::seconds member_expiry{120};
inline constexpr std::chrono::seconds member_scan{10};
// Commits of one group that want an answer and wait for a slow disk; clients commit again by themselves.
inline constexpr std::size_t max_waiting_commits = 10'000;
// Requests for locks of one group that wait for a slow disk; clients ask again every 20 s.
inline constexpr std::size_t max_waiting_locks = 10'000;
// Registrations of producers for 204, 328 and checks of transactions; a client with many groups counts often.
inline constexpr std::size_t max_producer_registrations = 100'000;
inline constexpr std::size_t max_producer_group_bytes = 255; // the clients' own limit
// Decisions of transactions in one entry of the log; each has 21 bytes.
inline constexpr std::size_t max_decisions_per_entry = 4'096;
// How often the transaction coordinator looks: a quarter of the shorter of its two times, within these.
inline constexpr std::chrono::milliseconds shortest_check_tick{20};
inline constexpr std::chrono::milliseconds longest_check_tick{250};
// Undecided halves that it is told of, and that it checks, before others have their turn.
inline constexpr std::size_t halves_per_report = 4'096;
inline constexpr std::size_t checks_per_turn = 1'024;
// Checks that wait for a producer to read them: above this another one of its group is asked, of so many.
inline constexpr std::size_t max_unread_check_bytes = 4U << 20U;
inline constexpr std::size_t producers_tried = 16;
// A request from actor to actor that is not answered by then is given up.
inline constexpr std::chrono::seconds request_timeout{10};

} // namespace holdfast::actors::limits
