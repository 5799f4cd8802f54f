#include "actors/session_router.hpp"

#include "actors/consumer_session.hpp"
#include "actors/lent_thread.hpp"
#include "actors/name_service.hpp"
#include "actors/producer_session.hpp"
#include "protocol/frame.hpp"

#include <array>
#include <charconv>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

using protocol::request_code;

// Smaller codes are those of answers.
constexpr std::int32_t first_request_code = 10;
constexpr int lent_turns = 2;

// Stock clients write `{"code":310,` first; whatever is written otherwise is decoded in full.
std::optional<std::int32_t> code_at_front(byte_view header) {
    constexpr std::string_view front = "{\"code\":";
    const auto text = as_text(header);
    if (!text.starts_with(front))
        return std::nullopt;
    std::int32_t code = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data() + front.size(), end, code);
    if (failed != std::errc{} || rest == end || (*rest != ',' && *rest != '}'))
        return std::nullopt;
    return code;
}

// A binary header begins with i16 code, u8 language, i16 version, i32 opaque, i32 flag (protocol
// reference 1.2). What is wrong behind that, the session finds.
std::optional<std::int32_t> code_of_request(byte_view binary_header) {
    constexpr std::size_t flag_at = 9;
    if (binary_header.size() < flag_at + sizeof(std::int32_t))
        return std::nullopt;
    const auto flag = load_big<std::int32_t>(binary_header.data() + flag_at);
    if ((flag & protocol::command_flag::response) != 0)
        return std::nullopt;
    return load_big<std::int16_t>(binary_header.data());
}

} // namespace

session_router::session_router(caf::actor_system& system,
                               std::shared_ptr<const session_environment> environment)
    : system_(system), environment_(std::move(environment)) {}

session_router::target session_router::target_of(byte_view frame) {
    const auto found = protocol::next_frame(frame);
    if (!found.ok() || !*found)
        return target::admin; // closes the connection with the reason
    const auto& view = **found;
    std::int32_t code = 0;
    const auto front = view.serialize == protocol::serialize_type::json ? code_at_front(view.header)
                                                                        : code_of_request(view.header);
    if (front && *front >= first_request_code) {
        code = *front;
    } else {
        thread_local protocol::remoting_command command;
        if (!command.decode(view).ok())
            return target::admin;
        if (command.is_response())
            return target::dropped;
        code = command.code();
    }
    switch (static_cast<request_code>(code)) {
    case request_code::send_message:
    case request_code::send_message_v2:
    case request_code::send_batch_message:
    case request_code::end_transaction:
        return target::producer;
    case request_code::pull_message:
    case request_code::lite_pull_message:
    case request_code::query_message:
    case request_code::explain_message:
    case request_code::query_consumer_offset:
    case request_code::update_consumer_offset:
    case request_code::search_offset_by_timestamp:
    case request_code::get_max_offset:
    case request_code::get_min_offset:
    case request_code::get_earliest_message_store_time:
    case request_code::view_message_by_id:
    case request_code::heart_beat:
    case request_code::unregister_client:
    case request_code::get_consumer_list_by_group:
    case request_code::check_client_config:
    case request_code::lock_batch_mq:
    case request_code::unlock_batch_mq:
        return target::consumer;
    case request_code::consumer_send_message_back:
        return target::retries;
    case request_code::recall_message:
        return target::delays;
    default:
        return is_name_service_code(static_cast<request_code>(code)) ? target::name_service : target::admin;
    }
}

void session_router::connection_opened(connection_ptr opened) {
    spdlog::debug("{} connected", opened->peer().text);
    auto made = std::make_shared<sessions>();
    made->connection = std::move(opened);
    const std::lock_guard lock{mutex_};
    connections_.emplace(made->connection->id(), std::move(made));
}

void session_router::frames_received(network::connection& from, network::frame_batch frames) {
    std::shared_ptr<sessions> to;
    {
        const std::lock_guard lock{mutex_};
        const auto found = connections_.find(from.id());
        if (found == connections_.end())
            return;
        to = found->second;
    }
    std::array<std::vector<std::uint32_t>, target_count> chosen;
    for (std::uint32_t index = 0; index < frames.size(); ++index)
        chosen[static_cast<std::size_t>(target_of(frames.view(index)))].push_back(index);
    for (std::size_t where = 0; where < target_count; ++where)
        if (!chosen[where].empty())
            deliver(*to, static_cast<target>(where), {frames, std::move(chosen[where])});
}

// The network's thread walks the way to the flusher itself: session, then log. The session's turn also takes
// what has come for it from elsewhere.
void session_router::hand_over(const producer_session_actor& session, session_frames_ptr frames) {
    lent_thread lent{system_};
    caf::actor_cast<caf::strong_actor_ptr>(session)->enqueue(
        caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, frames_atom::value, std::move(frames)),
        &lent);
    lent.run(lent_turns);
}

void session_router::deliver(sessions& to, target where, session_frames frames) {
    auto shared = std::make_shared<const session_frames>(std::move(frames));
    if (where != target::name_service && where != target::dropped && !environment_->health->leads())
        return answer_as_follower(to, *shared);
    const auto job = [&] {
        return std::make_shared<const admin_job>(
            admin_job{to.connection, shared, to.load.take(to.connection, shared->frames.bytes())});
    };
    switch (where) {
    case target::producer:
        if (!to.producer)
            to.producer = system_.spawn(producer_session, to.connection, environment_);
        return hand_over(to.producer, std::move(shared));
    case target::consumer:
        if (!to.consumer)
            to.consumer = system_.spawn(consumer_session, to.connection, environment_);
        return caf::anon_send(to.consumer, frames_atom::value, std::move(shared));
    case target::name_service:
        return caf::anon_send(environment_->name_service, frames_atom::value, job());
    case target::retries:
        return caf::anon_send(environment_->retries, frames_atom::value, job());
    case target::delays:
        return caf::anon_send(environment_->delays, frames_atom::value, job());
    case target::admin:
        return caf::anon_send(environment_->admin, frames_atom::value, job());
    case target::dropped:
        return;
    }
}

void session_router::answer_as_follower(sessions& to, const session_frames& frames) {
    if (!to.follower)
        to.follower = std::make_unique<follower_answers>(to.connection, environment_);
    to.follower->answer(frames);
}

void session_router::connection_closed(connection_id which, std::string_view reason) {
    std::shared_ptr<sessions> gone;
    {
        const std::lock_guard lock{mutex_};
        auto found = connections_.extract(which);
        if (found.empty())
            return;
        gone = std::move(found.mapped());
    }
    spdlog::debug("{} disconnected: {}", gone->connection->peer().text, reason);
    if (gone->producer)
        caf::anon_send(gone->producer, closed_atom::value);
    if (gone->consumer)
        caf::anon_send(gone->consumer, closed_atom::value);
}

} // namespace holdfast::actors
