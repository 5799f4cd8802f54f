// reader: pulls on a node that does not lead (follower_answers says what they are for).
#include "actors/limits.hpp"
#include "actors/pull_check.hpp"
#include "actors/reader.hpp"

#include <utility>

namespace holdfast::actors {

// Answered with messages, or with nothing and the leader's id; never with an error, nor with a corrected
// offset. There is no long poll: what is newest the leader has first, and whoever has caught up belongs
// there. But who would only come back at once waits: while nobody leads, or with a route that is out of date.
void reader_state::pull_as_follower(const read_job& job) {
    const auto request = protocol::decode_header<protocol::pull_message_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    broker::refusal refused;
    auto checked = check_pull(*request, *environment_, refused, job.filter ? &*job.filter : nullptr);
    held_pull pull;
    pull.connection = job.connection;
    pull.answer = protocol::answer_to::of(command_);
    pull.range = {{}, request->offset, 0, 0};
    pull.sent = job.sent;
    // Of a new topic with the old one's name the consumer asks for a place that means nothing there: the
    // leader says where to go on.
    if (checked && !job.topic_is_new) {
        pull.range = checked->range;
        pull.range.may_stay = job.may_stay;
        pull.filter = std::move(checked->filter);
    }
    if (give(pull))
        return;
    const bool may_wait =
        hold_of(*request, *environment_->config).count() > 0 && held_.size() < limits::max_held_per_reader;
    if (!may_wait || !would_come_back(pull))
        return send_to_leader(pull);
    pull.due = self_->clock().now() + limits::leaderless_hold;
    held_.push_back(std::move(pull));
    self_->delayed_send(self_, limits::leaderless_hold, tick_atom::value);
}

// All wait equally long, so the one that came first is due first.
void reader_state::tick() {
    while (!held_.empty() && held_.front().due <= self_->clock().now()) {
        const auto pull = std::move(held_.front());
        held_.pop_front();
        if (!give(pull))
            send_to_leader(pull);
        send_answers(*pull.connection);
    }
}

bool reader_state::give(const held_pull& pull) {
    return pull.filter &&
           follower_puller_->read(pull.range, *pull.filter, pull.answer, answers_) == pull_outcome::answered;
}

bool reader_state::would_come_back(const held_pull& pull) const {
    return environment_->cluster->leader().empty() ||
           (pull.sent && pull.sent->was_within(limits::leaderless_hold, pull.range.from, steady_now()));
}

void reader_state::send_to_leader(const held_pull& pull) {
    if (pull.sent)
        pull.sent->note(pull.range.from, steady_now());
    follower_puller_->send_to_leader(pull.range, pull.answer, answers_);
}

std::chrono::milliseconds reader_state::steady_now() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(self_->clock().now().time_since_epoch());
}

} // namespace holdfast::actors
