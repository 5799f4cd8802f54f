// What a node of a replica group says about itself and its group: request 30002, of our own command line only
// (`holdfast cluster status`). Any node answers, leader or not; the answer's body is JSON.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/group_requests.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::protocol {

using cluster_status_request = bare_request<request_code::cluster_status>;

enum class replica_role : std::uint8_t { leader, follower, candidate, learner };
[[nodiscard]] std::string_view to_string(replica_role role);

struct replica_member {
    std::string name{};
    std::string incarnation{}; // which data directory: a wiped node comes back as another one
    bool voter = true;
    std::string address{}; // host:port of its clusterPort; empty when not known
    friend bool operator==(const replica_member&, const replica_member&) = default;
};

// Positions in the log of the node that answers: first <= applied <= committed. What it has committed and not
// flushed yet is possible, and the other way round.
struct replica_watermarks {
    log_position first{};
    log_position appended{};
    log_position flushed{};
    log_position committed{};
    log_position applied{};
    friend bool operator==(const replica_watermarks&, const replica_watermarks&) = default;
};

// Another replica, as the leader sees it.
struct follower_status {
    std::string name{};
    log_position matched{};         // on that replica's disk, and the same as here, up to there
    std::uint64_t lag_bytes = 0;    // from there to the end of the leader's log
    std::int64_t last_heard_ms = 0; // so long ago; -1: never in this term
    std::string state{};            // a word for people, such as "probing" or "replicating"
    friend bool operator==(const follower_status&, const follower_status&) = default;
};

struct cluster_status {
    std::string group{}; // brokerName
    std::string node{};
    replica_role role = replica_role::follower;
    term_number term{};
    std::string leader{}; // the leader's name; empty when there is none or it is not known
    std::vector<replica_member> members{};
    replica_watermarks watermarks{};
    std::uint64_t messages_got = 0;           // by consumers, from this node since its start
    std::vector<follower_status> followers{}; // of the leader only
    friend bool operator==(const cluster_status&, const cluster_status&) = default;
};

[[nodiscard]] std::string encode_cluster_status(const cluster_status& status);
// malformed when group, node or role are missing or a number is impossible.
[[nodiscard]] result<cluster_status> decode_cluster_status(byte_view body);

} // namespace holdfast::protocol
