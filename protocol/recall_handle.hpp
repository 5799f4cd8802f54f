// The handle with which a message that waits for its time can be called back (protocol reference 7.6):
// base64url without padding of "v1 topic brokerName timestamp uniqKey".
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace holdfast::protocol {

struct recall_handle {
    std::string topic;
    std::string broker_name;
    timestamp_ms due{}; // when it was to be delivered
    std::string unique_key;

    friend bool operator==(const recall_handle&, const recall_handle&) = default;
};

[[nodiscard]] std::string make_recall_handle(const recall_handle& handle);
// Padding is allowed. malformed: not what the above makes.
[[nodiscard]] result<recall_handle> parse_recall_handle(std::string_view text);

} // namespace holdfast::protocol
