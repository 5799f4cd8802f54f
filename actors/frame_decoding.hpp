// Taking the header of a received frame apart; the same for every session and service.
#pragma once

#include "network/connection.hpp"
#include "network/frame_batch.hpp"
#include "protocol/frame.hpp"
#include "protocol/remoting_command.hpp"

namespace holdfast::actors {

// Requests that change something, so that they make sense without an answer.
[[nodiscard]] inline bool has_an_effect(protocol::request_code code) {
    using protocol::request_code;
    switch (code) {
    case request_code::send_message:
    case request_code::send_message_v2:
    case request_code::send_batch_message:
    case request_code::end_transaction:
    case request_code::update_consumer_offset:
    case request_code::heart_beat:
    case request_code::unregister_client:
    case request_code::lock_batch_mq:
    case request_code::unlock_batch_mq:
    case request_code::update_and_create_topic:
    case request_code::delete_topic_in_broker:
    case request_code::update_and_create_subscription_group:
    case request_code::delete_subscription_group:
    case request_code::invoke_broker_to_reset_offset:
    case request_code::clone_group_offset:
        return true;
    default:
        return false;
    }
}

// Decodes frame `index` into `command`, and says whether there is something to do. A header that can't be
// understood closes the connection, as a Java server does. A oneway request is never answered (trap T9), so
// one that only asks is dropped here.
[[nodiscard]] inline bool decode_frame(const network::frame_batch& frames, std::uint32_t index,
                                       network::connection& from, protocol::remoting_command& command) {
    const auto frame = protocol::next_frame(frames.view(index));
    const auto decoded = frame.ok() && *frame ? command.decode(**frame)
                                              : result<void>{error{errc::malformed, "not a whole frame"}};
    if (!decoded.ok())
        from.close("sent a malformed header: " + decoded.failure().message);
    return decoded.ok() && (!command.is_oneway() || has_an_effect(command.request()));
}

} // namespace holdfast::actors
