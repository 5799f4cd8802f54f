#include "actors/follower_answers.hpp"

#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "protocol/answers.hpp"

#include <spdlog/spdlog.h>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

follower_answers::follower_answers(connection_ptr connection,
                                   std::shared_ptr<const session_environment> environment)
    : connection_(std::move(connection)),
      environment_(std::move(environment)),
      stays_(limits::follower_stay, limits::max_followed_queues) {}

// With a failed disk too: what is committed can be read, and who was refused here would repeat it here.
bool follower_answers::serves_reads() const {
    return environment_->config->follower_reads && environment_->cluster != nullptr;
}

void follower_answers::answer(const session_frames& frames) {
    for (const auto index : frames.chosen)
        if (decode_frame(frames.frames, index, *connection_, command_) && !answer(frames.frames, index))
            return;
    send_answers();
}

bool follower_answers::answer(const network::frame_batch& frames, std::uint32_t index) {
    const auto to = protocol::answer_to::of(command_);
    const auto why = environment_->health->reason();
    switch (command_.request()) {
    case request_code::query_consumer_offset:
    case request_code::search_offset_by_timestamp:
    case request_code::get_max_offset:
    case request_code::get_min_offset:
        if (command_.is_oneway())
            return true;
        send_answers();
        connection_->close_after_flush("asked for offsets that only the leader may tell: " + why);
        return false;
    case request_code::pull_message:
    case request_code::lite_pull_message:
    case request_code::view_message_by_id:
    case request_code::query_message:
        if (serves_reads()) {
            to_reader(frames, index);
            return true;
        }
        break;
    case request_code::heart_beat: // clients send them to every address of the route
        if (serves_reads())
            note_subscriptions();
        [[fallthrough]];
    case request_code::unregister_client:
        if (!command_.is_oneway())
            protocol::append_success(answers_, to);
        return true;
    default:
        break;
    }
    refuse(why);
    return true;
}

void follower_answers::refuse(std::string_view remark) {
    constexpr auto code = response_code::service_not_available;
    spdlog::debug("{} refused request {} with code {}: {}", connection_->peer().text, command_.code(),
                  static_cast<int>(code), remark);
    if (!command_.is_oneway())
        protocol::append_failure(answers_, protocol::answer_to::of(command_), code, remark);
}

// A connection that gives the readers here more than they may have of it. Pulls are sent to the leader, as
// those that can't be served.
void follower_answers::answer_for_busy_readers() {
    const bool is_pull = command_.request() == request_code::pull_message ||
                         command_.request() == request_code::lite_pull_message;
    const auto pull = protocol::decode_header<protocol::pull_message_request>(command_);
    if (is_pull && pull.ok())
        return protocol::append_pull_answer(answers_, protocol::answer_to::of(command_),
                                            response_code::pull_retry_immediately, "ASK_THE_MASTER",
                                            {0, pull->offset, {}, {}}, 0);
    refuse("[REJECTREQUEST] this connection has " + std::to_string(limits::max_reader_jobs) +
           " look-ups under way here, wait for their answers or ask the leader");
}

void follower_answers::to_reader(const network::frame_batch& frames, std::uint32_t index) {
    if (reader_load_.is_full())
        return answer_for_busy_readers();
    auto job = std::make_shared<read_job>();
    job->connection = connection_;
    job->frames = frames;
    job->frame = index;
    job->slot = reader_load_.take();
    job->as_follower = true;
    prepare_pull(*job);
    next_reader_ = (next_reader_ + 1) % environment_->readers.size();
    caf::anon_send(environment_->readers[next_reader_], read_atom::value, read_job_ptr{std::move(job)});
}

void follower_answers::prepare_pull(read_job& job) {
    const auto request = protocol::decode_header<protocol::pull_message_request>(command_);
    if (!request.ok())
        return; // another request, or the reader says what is wrong
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    auto visit = stays_.pulled(request->consumer_group, request->topic, request->queue,
                               std::chrono::duration_cast<std::chrono::milliseconds>(now));
    job.may_stay = visit.may_stay;
    job.sent = std::move(visit.sent);
    const auto topic = environment_->view->find_topic(request->topic);
    job.topic_is_new =
        topic && pulled_.pulled(request->consumer_group, request->topic, {topic->id, request->queue});
    const auto heard = heard_.find({std::string{request->consumer_group}, std::string{request->topic}});
    if (heard != heard_.end() && heard->second.version >= request->subscription_version)
        job.filter = heard->second.filter;
}

void follower_answers::note_subscriptions() {
    const auto beat = protocol::decode_heartbeat(command_.body());
    if (!beat.ok())
        return;
    heard_.clear(); // a heartbeat says everything
    for (const auto& consumer : beat->consumers)
        for (const auto& subscription : consumer.subscriptions) {
            auto filter = protocol::tag_filter::parse(subscription.expression);
            const bool by_tag = subscription.expression_type.empty() || subscription.expression_type == "TAG";
            if (by_tag && filter.ok() && heard_.size() < limits::max_heard_subscriptions)
                heard_[{consumer.group, subscription.topic}] = {subscription.version, std::move(*filter)};
        }
}

void follower_answers::send_answers() {
    if (!answers_.empty())
        connection_->send(answers_.release());
}

} // namespace holdfast::actors
