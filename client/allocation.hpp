// Who consumes which queue: RocketMQ's average strategy (protocol reference 6.3).
//
// Every member computes the same from the same two sorted lists, so nobody has to tell anybody. Contiguous
// shares; the first (queues mod members) members get one more.
#pragma once

#include "client/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::client {

// `queues` and `members` in any order, members may name one id twice. Empty when `self` is not a member.
[[nodiscard]] std::vector<message_queue> allocate_averagely(std::vector<message_queue> queues,
                                                            std::vector<std::string> members,
                                                            std::string_view self);

} // namespace holdfast::client
