// What the properties of a send mean to the broker (protocol reference 5.4, 6.6, 6.7, 6.11).
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::broker {

struct send_properties {
    std::string_view text; // without WAIT
    std::int32_t tags = 0; // Java hash of TAGS
    bool transactional = false;
    std::string_view producer_group; // PGROUP; a view into `text`
    std::string_view unique_key;     // a view into `text`
    std::int32_t immunity_ms = -1;   // CHECK_IMMUNITY_TIME_IN_SECONDS
    // When it is to be delivered, as a delayed record's trailer says it (delivery_records.hpp): a negative
    // number is a delay from its append. Nothing: at once.
    std::optional<std::int64_t> due;
    bool by_timer = false; // a time of its own, not a level
};

struct delay_rules {
    std::vector<std::chrono::seconds> levels; // messageDelayLevel; level n at [n - 1]
    std::chrono::milliseconds longest{0};     // of a time of its own
};

// One pass. `scratch` holds the text if WAIT had to be taken out, which views then point into. An error (of
// what the client sent) has words for its log.
//   DELAY above 0 wins over the timers; of those TIMER_DELAY_SEC over TIMER_DELAY_MS over TIMER_DELIVER_MS. A
//   time that is not in the future of `now` is no delay.
result<send_properties> scan_send_properties(std::string_view properties, const delay_rules& rules,
                                             timestamp_ms now, std::string& scratch);

} // namespace holdfast::broker
