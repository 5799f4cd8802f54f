#include "actors/follower_answers.hpp"

#include "actors/frame_decoding.hpp"
#include "base/byte_buffer.hpp"

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

void answer_as_follower(const connection_ptr& connection, const session_frames& frames,
                        const std::string& why) {
    thread_local protocol::remoting_command command;
    byte_buffer out;
    for (const auto index : frames.chosen) {
        if (!decode_frame(frames.frames, index, *connection, command) || command.is_oneway())
            continue;
        const auto to = protocol::answer_to::of(command);
        switch (command.request()) {
        case request_code::query_consumer_offset:
        case request_code::search_offset_by_timestamp:
        case request_code::get_max_offset:
        case request_code::get_min_offset:
            if (!out.empty())
                connection->send(out.release());
            return connection->close_after_flush("asked for offsets that only the leader may tell: " + why);
        case request_code::heart_beat: // clients send them to every address of the route
        case request_code::unregister_client:
            protocol::append_success(out, to);
            break;
        default:
            protocol::append_failure(out, to, response_code::service_not_available, why);
        }
    }
    if (!out.empty())
        connection->send(out.release());
}

} // namespace holdfast::actors
