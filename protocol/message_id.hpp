// The two kinds of message id (protocol reference 5.5). Both are upper-case hex, so their lengths tell
// nothing.
//
// The offset message id says where a message is: host, port and place in the log. Clients take it apart: to
// dial the host, and to find a half message again (T4). The UNIQ_KEY is made by the producing client.
#pragma once

#include "base/ids.hpp"
#include "protocol/host.hpp"

#include <atomic>
#include <string>
#include <string_view>

namespace holdfast::protocol {

inline constexpr std::size_t message_id_chars = 32;      // with an IPv4 host
inline constexpr std::size_t ipv6_message_id_chars = 56; // read, never written

// Writes exactly message_id_chars characters to `to`.
void write_message_id(char* to, const ipv4_host& host, log_position position);
[[nodiscard]] std::string make_message_id(const ipv4_host& host, log_position position);

struct offset_message_id {
    stored_host host{};
    log_position position{};
};
// Of 32 or 56 hex digits in either case.
[[nodiscard]] result<offset_message_id> parse_message_id(std::string_view text);

// Makes UNIQ_KEYs: host, process, a salt per generator, milliseconds of the month, a counter. Unique as long
// as one generator makes no more than 65536 a millisecond. Safe to use from several threads.
class unique_key_generator {
  public:
    // `salt` tells two generators of one process apart: take it at random.
    unique_key_generator(std::uint32_t ipv4_address, std::uint16_t process_id, std::uint32_t salt);

    [[nodiscard]] std::string next(timestamp_ms now);

  private:
    std::array<char, 20> prefix_{};
    std::atomic<std::uint16_t> counter_{0};
};

} // namespace holdfast::protocol
