// reader: pulls on a node that does not lead (follower_answers says what they are for).
#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/pull_check.hpp"
#include "actors/reader.hpp"

namespace holdfast::actors {

// Answered with messages, or with nothing and the leader's id; never with an error, nor with a corrected
// offset. There is no long poll: what is newest the leader has first, and whoever has caught up belongs
// there.
void reader_state::pull_as_follower(const read_job_ptr& job, hold_state held) {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::pull_message_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    broker::refusal refused;
    auto checked = check_pull(*request, *environment_, refused, job->filter ? &*job->filter : nullptr);
    if (!checked)
        return follower_puller_->send_to_leader({{}, request->offset, 0, 0}, to, answers_);
    checked->range.may_stay = job->may_stay;
    if (follower_puller_->read(checked->range, checked->filter, to, answers_) == pull_outcome::answered)
        return;
    const bool may_wait = held == hold_state::not_yet && checked->hold.count() > 0 &&
                          held_ < limits::max_held_per_reader && environment_->cluster->leader().empty();
    if (!may_wait)
        return follower_puller_->send_to_leader(checked->range, to, answers_);
    ++held_;
    auto later = std::make_shared<read_job>(*job);
    later->slot.reset(); // what is held keeps no reader busy
    self_->delayed_send(self_, limits::leaderless_hold, tick_atom::value, read_job_ptr{std::move(later)});
}

void reader_state::look_again(const read_job_ptr& job) {
    --held_;
    if (!decode_frame(job->frames, job->frame, *job->connection, command_))
        return;
    pull_as_follower(job, hold_state::over);
    send_answers(*job);
}

} // namespace holdfast::actors
