// A subscription as JSON, shared by heartbeats and the administration's bodies. For .cpp files of this room.
#pragma once

#include "protocol/heartbeat.hpp"
#include "protocol/json_body.hpp"

namespace holdfast::protocol {

inline constexpr std::array<std::string_view, 3> consume_type_names{"CONSUME_ACTIVELY", "CONSUME_PASSIVELY",
                                                                    "CONSUME_POP"};
inline constexpr std::array<std::string_view, 2> message_model_names{"BROADCASTING", "CLUSTERING"};
inline constexpr std::array<std::string_view, 6> consume_from_names{
    "CONSUME_FROM_LAST_OFFSET",  "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
    "CONSUME_FROM_MIN_OFFSET",   "CONSUME_FROM_MAX_OFFSET",
    "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP",
};

[[nodiscard]] json_value subscription_to_json(const subscription_data& subscription);
[[nodiscard]] result<subscription_data> subscription_from_json(const json_value& object);

} // namespace holdfast::protocol
