// The body of HEART_BEAT (34) and of CHECK_CLIENT_CONFIG (46), in all the dialects of the stock clients
// (protocol reference 3.5, T11): enums as names or as ordinals (C++), numbers as texts (C++, Go), missing or
// null sets.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::protocol {

// In the order of Java's enums: C++ sends the ordinals.
enum class consume_type : std::uint8_t { actively, passively, pop };
enum class message_model : std::uint8_t { broadcasting, clustering };
enum class consume_from : std::uint8_t {
    last_offset,
    last_offset_and_from_min_when_boot_first,
    min_offset,
    max_offset,
    first_offset,
    timestamp,
};

// The names as they stand in JSON.
[[nodiscard]] std::string_view to_string(consume_type value);
[[nodiscard]] std::string_view to_string(message_model value);
[[nodiscard]] std::string_view to_string(consume_from value);

struct subscription_data {
    std::string topic{};
    std::string expression = "*"; // "subString"
    std::string expression_type = "TAG";
    std::int64_t version = 0; // ms; the newer one wins (T17)
    bool class_filter_mode = false;
    std::vector<std::string> tags{};    // as the client says; what counts for filtering is the expression
    std::vector<std::int32_t> hashes{}; // "codeSet"
    friend bool operator==(const subscription_data&, const subscription_data&) = default;
};

struct consumer_data {
    std::string group{};
    consume_type type = consume_type::passively;
    message_model model = message_model::clustering;
    consume_from from = consume_from::last_offset;
    bool unit_mode = false;
    std::vector<subscription_data> subscriptions{};
    friend bool operator==(const consumer_data&, const consumer_data&) = default;
};

struct heartbeat {
    std::string client_id{};
    std::vector<std::string> producer_groups{};
    std::vector<consumer_data> consumers{};
    friend bool operator==(const heartbeat&, const heartbeat&) = default;
};

// Errors name the key. At most limits::max_json_request_bytes are read.
[[nodiscard]] result<heartbeat> decode_heartbeat(byte_view body);
// As the Java client writes it.
[[nodiscard]] std::string encode_heartbeat(const heartbeat& beat);

// Code 46: a consumer asks whether its expression is understood.
struct client_config_check {
    std::string client_id{};
    std::string group{};
    subscription_data subscription{};
};
[[nodiscard]] result<client_config_check> decode_client_config_check(byte_view body);

} // namespace holdfast::protocol
