// producer_session: END_TRANSACTION, a producer's decision about its half (protocol reference 3.2, 6.11;
// traps T5, T8, T9). Decisions of one read share an entry with its sends, so a transaction costs no message
// more than a plain send does.
//
// A decision is taken as long as the log takes anything: neither a nearly full disk nor a lack of the write
// permission stops it, since both would only keep halves undecided.
#include "actors/limits.hpp"
#include "actors/producer_session.hpp"
#include "actors/session_failure.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::response_code;
using protocol::transaction_end;

void producer_session_state::end_transaction(const network::frame_batch& frames, std::uint32_t index) {
    const auto request = protocol::decode_header<protocol::end_transaction_request>(command_);
    if (!request.ok()) {
        if (!command_.is_oneway())
            refuse_decision(protocol::answer_to::of(command_), response_code::system_error,
                            request.failure().message);
        return;
    }
    // The producer does not know yet: it is asked again. RocketMQ answers nothing to this, ever.
    if (request->verdict == transaction_end::unknown)
        return;
    const broker::decision decided{request->commit_log_offset, request->state_table_offset.value(),
                                   broker::group_checksum_of(request->producer_group),
                                   request->verdict == transaction_end::commit
                                       ? broker::decision_kind::commit
                                       : broker::decision_kind::rollback};
    // It is no half's, so whatever is said of it is refused. Why, a reader finds out.
    if (!broker::may_name_a_half(decided)) {
        if (!command_.is_oneway())
            look_up_decision(protocol::answer_to::of(command_), frames, index);
        return;
    }
    if (decisions_.size() == limits::max_decisions_per_entry)
        flush_draft();
    if (!command_.is_oneway())
        gathering_.asked.push_back(
            {decisions_.size(), protocol::answer_to::of(command_), decided, frames, index});
    decisions_.push_back(decided);
}

void producer_session_state::write_decisions() {
    if (decisions_.empty())
        return;
    draft_.add(broker::command_kind::packed_decisions, broker::encode(decisions_));
    gathering_.decisions = decisions_.size();
    decisions_.clear();
}

void producer_session_state::answer_decisions(const pending_batch& batch, const batch_outcome& outcome,
                                              std::size_t first_offset) {
    for (const auto& asked : batch.asked) {
        if (outcome.failure)
            refuse_decision(asked.answer, code_of_refusal(*outcome.failure), outcome.failure->message);
        else
            answer_decision(asked, outcome.offsets[first_offset + asked.index]);
    }
}

void producer_session_state::answer_decision(const asked_decision& asked, queue_offset outcome) {
    namespace results = broker::decision_outcome;
    const auto half = "the half message at commitLogOffset " + std::to_string(asked.decided.half.value());
    if (outcome >= queue_offset{0} || outcome == results::rolled_back)
        return protocol::append_success(answers_, asked.answer);
    if (outcome == results::not_pending)
        return look_up_decision(asked.answer, asked.frames, asked.frame);
    if (outcome == results::topic_gone)
        return refuse_decision(asked.answer, response_code::topic_not_exist,
                               half + " was committed, but its topic has been deleted: nobody will get it");
    refuse_decision(asked.answer, response_code::system_error, half + " was sent by another producer group");
}

// Decided before, or never there. What became of it may be on the disk.
void producer_session_state::look_up_decision(const protocol::answer_to& to,
                                              const network::frame_batch& frames, std::uint32_t index) {
    if (reader_load_.is_full())
        return refuse_decision(to, response_code::system_busy,
                               "[REJECTREQUEST] too many decisions of this connection are being looked up, "
                               "say it again");
    auto job = std::make_shared<read_job>();
    job->connection = connection_;
    job->frames = frames;
    job->frame = index;
    job->slot = reader_load_.take();
    next_reader_ = (next_reader_ + 1) % environment_->readers.size();
    self_->send(environment_->readers[next_reader_], read_atom::value, read_job_ptr{std::move(job)});
}

void producer_session_state::refuse_decision(const protocol::answer_to& to, response_code code,
                                             std::string_view remark) {
    spdlog::debug("{} refused a decision: {}", connection_->peer().text, remark);
    protocol::append_failure(answers_, to, code, remark);
}

} // namespace holdfast::actors
