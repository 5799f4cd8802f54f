// The bytes of what is said about messages that are in no queue yet: halves of transactions and delayed ones.
//
// Little-endian throughout. A `half` or `lean_half` is a stored record and then
//     i32 immunity_ms   no check before this age; -1: the broker's transactionTimeOut
//     u32 group_at      where the producer group's name is, from the record's first byte
//     u16 group_size, u16 zero
// A `delayed` or `lean_delayed` is a stored record and then
//     i64 due           when it goes into its queue, milliseconds since 1970; in a draft a negative number is
//                       a delay from the moment of its append. The replica writes the moment itself, which is
//                       always behind the entry's own time: nothing that is appended later can be due earlier
//                       than what has been delivered.
// `packed_decisions` are runs, each of one producer group:
//     u32 group_checksum, u16 count, and of each decision a number n in base 128, lowest digits first, with
//     bit 7 set in all bytes but the last
//         n & 1    commit, else rollback
//         n >> 1   how many eights the half is behind the one before, the first one behind 0: 0, -1, 1, -2,
//         ...
//                  are 0, 1, 2, 3, ...
// `decisions`, which older builds wrote, are 21 bytes each: u64 half, i64 number, u32 group_checksum, u8 1 =
// commit, 2 = rollback.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/command.hpp"
#include "storage/delay_index.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::broker {

inline constexpr std::size_t half_trailer_bytes = 12;
inline constexpr std::size_t delayed_trailer_bytes = 8;
// Bytes behind the record in a command's payload.
[[nodiscard]] constexpr std::size_t trailer_bytes(command_kind kind) {
    return is_half(kind) ? half_trailer_bytes : is_delayed(kind) ? delayed_trailer_bytes : 0;
}

struct half_trailer {
    std::int32_t immunity_ms = -1;
    std::uint32_t group_at = 0;
    std::uint16_t group_size = 0;
};

void encode(const half_trailer& trailer, std::byte* to);

// A half as its payload says it; views into the payload.
struct half_payload {
    std::uint32_t record_size = 0;
    std::int32_t immunity_ms = -1;
    std::string_view group;
};
result<half_payload> decode_half(byte_view payload);

struct delayed_payload {
    std::uint32_t record_size = 0;
    timestamp_ms due;
};
result<delayed_payload> decode_delayed(byte_view payload);
// Turns the due time of a draft into that of the log, `appended` being the entry's own time.
void settle_due(std::byte* payload, std::size_t size, timestamp_ms appended);

// --- transactions
// --------------------------------------------------------------------------------------------

enum class decision_kind : std::uint8_t { commit = 1, rollback = 2 };

// What a producer says of its half; each of the numbers must be the half's own. `number` is the half's
// position once more: a decision where it is not is refused and gets into no log any more.
struct decision {
    log_position half;
    std::int64_t number = 0;
    std::uint32_t group_checksum = 0; // group_checksum_of(producer group)
    decision_kind kind = decision_kind::rollback;

    friend bool operator==(const decision&, const decision&) = default;
};
[[nodiscard]] std::uint32_t group_checksum_of(std::string_view group);
// Whether it can be one's about a half: only then it can be encoded.
[[nodiscard]] bool may_name_a_half(const decision& decided);
inline constexpr std::size_t most_decision_bytes = 16; // of one in a list, with its run

enum class half_check_kind : std::uint8_t {
    sent = 1,     // a producer was asked
    given_up = 2, // asked often enough: it goes to TRANS_CHECK_MAX_TIME_TOPIC
};
struct half_check {
    log_position half;
    half_check_kind kind = half_check_kind::sent;

    friend bool operator==(const half_check&, const half_check&) = default;
};

// --- delays
// --------------------------------------------------------------------------------------------------

using storage::delay_key;
using storage::delayed_message;

// What is due, in order. It is carried out only if `version` is the delay table's: nothing was delivered or
// cancelled since the table was read.
struct deliveries {
    std::uint64_t version = 0;
    std::vector<delayed_message> messages;

    friend bool operator==(const deliveries&, const deliveries&) = default;
};
struct cancellations {
    std::uint64_t version = 0;
    std::vector<delay_key> keys; // all pending, each once: the leader has looked

    friend bool operator==(const cancellations&, const cancellations&) = default;
};

[[nodiscard]] std::string encode(const std::vector<decision>& decisions); // packed_decisions
[[nodiscard]] std::string encode(const std::vector<half_check>& checks);
[[nodiscard]] std::string encode(const deliveries& due);
[[nodiscard]] std::string encode(const cancellations& cancelled);

// `kind`: decisions or packed_decisions.
result<std::vector<decision>> decode_decisions(command_kind kind, byte_view bytes);
result<std::vector<half_check>> decode_half_checks(byte_view bytes);
result<deliveries> decode_deliveries(byte_view bytes);
result<cancellations> decode_cancellations(byte_view bytes);

} // namespace holdfast::broker
