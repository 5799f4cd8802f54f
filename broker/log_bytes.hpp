// What replicas say to each other to put rotten records right: a question for bytes of the other's log, and
// the answer. Apart from Raft's messages: whoever has the bytes answers, leading or not, and nobody's term,
// vote or membership depends on it. docs/replication.md shows the bytes.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/log_store.hpp"

#include <string>
#include <variant>
#include <vector>

namespace holdfast::broker {

// As storage::log_mender::wanted.
struct log_bytes_request {
    std::uint64_t id = 0; // the answer's as well
    log_position entry;
    std::uint64_t offset = 0;
    friend bool operator==(const log_bytes_request&, const log_bytes_request&) = default;
};

// The bytes travel beside it. None: `refusal` says why.
struct log_bytes_answer {
    std::uint64_t id = 0;
    std::string refusal;
    friend bool operator==(const log_bytes_answer&, const log_bytes_answer&) = default;
};

using log_bytes_message = std::variant<log_bytes_request, log_bytes_answer>;

inline constexpr std::size_t most_log_bytes = 256U << 10U; // in one answer

[[nodiscard]] std::string encode_head(const log_bytes_message& what);
// By the first byte; none of Raft's messages begins with it.
[[nodiscard]] bool is_log_bytes_message(std::string_view head);
// errc::malformed when it is not one, or `body`, which came beside it, does not belong to it.
result<log_bytes_message> decode_log_bytes_message(std::string_view head, const shared_bytes& body);

struct log_bytes_found {
    log_bytes_answer answer;
    std::vector<shared_bytes> bytes;
};
// What this replica has of it: verified, up to most_log_bytes, none when it lacks the entry or has it rotten
// too. May block on the disk.
[[nodiscard]] log_bytes_found find_log_bytes(storage::log_reader& reader,
                                             const storage::segment_set& segments,
                                             const log_bytes_request& request);

} // namespace holdfast::broker
