#include "broker/replica.hpp"

#include "broker/command.hpp"
#include "broker/members.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>
#include <vector>

namespace holdfast::broker {
namespace {

// A flush of this size is filled up to a whole block, so that the next one need not wait for it. Smaller ones
// are not worth the room.
constexpr std::uint64_t filled_up_from = 8U << 10U;

// A node that lacks no more than this may become a member: what is left takes no time (thesis 4.2.1).
constexpr std::uint64_t caught_up_bytes = 1U << 20U;

constexpr std::size_t term_offset = 24;

// From the sealed header (storage/entry.hpp); to decode it whole would be to verify it once more.
term_number term_of(const shared_bytes& entry) {
    return term_number{load_little<std::uint64_t>(entry.data() + term_offset)};
}

replica_settings for_log(replica_settings settings, const replica_log& log) {
    settings.raft.may_lead = settings.raft.may_lead && !log.is_seeding;
    return settings;
}

} // namespace

replica::replica(replica_settings settings, replica_log log, state applied)
    : settings_(for_log(std::move(settings), log)),
      raft_(settings_.raft, std::move(log.vote),
            {log.applied.next, log.applied.next, applied.runs(), applied.members()}),
      state_(std::move(applied)),
      tail_(log.applied),
      applied_tail_(log.applied),
      flushed_(log.applied.next),
      durable_(log.applied.next),
      handed_(log.applied.next),
      matched_(log.applied.next) {
    if (log.is_seeding)
        seeded_from_ = log.first;
    if (!state_.members().empty())
        members_.push_back({log.applied.next, state_.members()});
    for (auto& entry : log.unapplied) {
        const auto header = storage::decode_entry_header(entry.view());
        HOLDFAST_CHECK(header.ok());
        place(*header, std::move(entry));
    }
    flushed_ = durable_ = handed_ = tail_.next;
    raft_.flushed(flushed_);
    unflushed_from_ = unapplied_.size();
}

effects replica::step(event what) {
    effects out;
    if (has_ended_) {
        if (const auto* const asked = std::get_if<standing_asked>(&what))
            out.standings.push_back({asked->ticket, false});
        return out;
    }
    std::visit([&](auto& happened) { on(happened, out); }, what);
    return out;
}

void replica::on(const started& happened, effects& out) {
    now_ = happened.now;
    consensus::actions actions;
    raft_.start(now_, actions);
    carry_out(std::move(actions), out);
}

void replica::on(const ticked& happened, effects& out) {
    now_ = happened.now;
    consensus::actions actions;
    raft_.tick(now_, actions);
    carry_out(std::move(actions), out);
    if (ready() && !stopping_)
        if (auto next = raft_.next_members(members_.empty() ? log_position{0} : members_.back().end,
                                           caught_up_bytes, now_)) {
            append_members(std::move(*next));
            start_flush(out);
        }
    hand_over_when_done(out);
}

void replica::on(message_received& happened, effects& out) {
    now_ = happened.now;
    if (std::holds_alternative<consensus::append_request>(happened.what.body))
        return follow(happened.what, out);
    if (std::holds_alternative<consensus::begin_request>(happened.what.body))
        return begin_anew(happened.what, out);
    consensus::actions actions;
    raft_.receive(happened.what, now_, actions);
    carry_out(std::move(actions), out);
    if (const auto* const answer = std::get_if<consensus::append_answer>(&happened.what.body))
        begin_if_left(happened.what, *answer, out);
}

void replica::on(const peer_found& happened, effects&) {
    now_ = happened.now;
    raft_.peer_found(happened.who, happened.has_empty_log, now_);
}

void replica::on(const peer_lost& happened, effects&) {
    now_ = happened.now;
    raft_.peer_lost(happened.name, now_);
}

void replica::pass_on(std::vector<consensus::message>& messages, effects& out) {
    out.messages.insert(out.messages.end(), std::make_move_iterator(messages.begin()),
                        std::make_move_iterator(messages.end()));
}

// What Raft decided, turned into what the log can give.
void replica::carry_out(consensus::actions actions, effects& out) {
    if (actions.persist)
        out.persist = std::move(actions.persist);
    pass_on(actions.messages, out);
    if (actions.was_deposed) {
        out.was_deposed = true;
        for (auto& entry : unapplied_)
            entry.has_ticket = false;
    }
    for (const auto& wanted : actions.wanted)
        supply(wanted, out);
    if (actions.has_won)
        lead(out);
    apply_committed(out);
    settle_standing(out);
}

void replica::on(batches_received& happened, effects& out) {
    for (auto& batch : happened.batches) {
        if (auto reason = refusal(batch))
            out.rejected.push_back({batch.ticket, std::move(*reason)});
        else
            append(std::move(batch.draft), batch.ticket, happened.now);
    }
    start_flush(out);
}

std::optional<error> replica::refusal(const append_batch& batch) const {
    if (fenced_)
        return error{errc::unavailable,
                     "this broker's log is fenced after a failed write; it takes no messages"};
    if (!leading())
        return error{errc::unavailable, "this broker does not lead its group"};
    if (stopping_)
        return error{errc::unavailable, "this broker is shutting down"};
    if (batch.draft.size() > settings_.max_entry_size)
        return error{errc::too_large, "a batch of " + std::to_string(batch.draft.size()) +
                                          " bytes is larger than a log entry may be (" +
                                          std::to_string(settings_.max_entry_size) + ")"};
    return std::nullopt;
}

void replica::append(entry_draft draft, std::optional<batch_ticket> ticket, timestamp_ms now,
                     std::uint16_t flags) {
    const auto place = storage::place_entry(tail_.geometry, tail_.next, draft.size());
    if (place.filler)
        append_filler(*place.filler, now);
    const auto header = seal(draft, place.position, now, flags);
    pending_entry entry;
    entry.position = place.position;
    entry.after = {header.next(), header.checksum, header.timestamp, place.geometry};
    entry.bytes = draft.release();
    entry.ticket = ticket.value_or(batch_ticket{0});
    entry.has_ticket = ticket.has_value();
    if ((flags & storage::members_flag) != 0)
        note_members(entry.bytes, entry.after.next);
    push(std::move(entry));
    idle_mark_ = false;
}

storage::entry_header replica::next_header(log_position position, timestamp_ms now) const {
    storage::entry_header header;
    header.previous_checksum = tail_.last_checksum;
    header.position = position;
    header.term = raft_.term();
    header.flushed = durable_;
    header.committed = raft_.commit();
    header.timestamp = std::max(tail_.timestamp, now);
    return header;
}

void replica::append_filler(log_position at, timestamp_ms now) {
    auto header = next_header(at, now);
    pending_entry entry;
    entry.bytes = storage::seal_filler(header);
    entry.position = at;
    entry.after = {tail_.geometry.last(), header.checksum, header.timestamp, tail_.geometry};
    entry.filler = true;
    push(std::move(entry));
}

// The record's own place and its store time are known only now. Store times never fall along the log, so that
// a search by time can halve.
storage::entry_header replica::seal(entry_draft& draft, log_position position, timestamp_ms now,
                                    std::uint16_t flags) const {
    auto header = next_header(position, now);
    auto bytes = draft.bytes();
    command_cursor cursor{bytes, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        HOLDFAST_CHECK(command.ok());
        if (!has_record(command->header.kind))
            continue;
        const auto record = bytes.subspan(command->payload_offset, command->header.size);
        protocol::patch_physical_offset(record.data(), position + command->payload_offset);
        protocol::patch_store_timestamp(record.data(), header.timestamp);
        if (is_delayed(command->header.kind))
            settle_due(record.data(), record.size(), header.timestamp);
    }
    header.count = draft.count();
    header.flags = flags;
    storage::seal_entry(header, bytes);
    return header;
}

// Becomes the log's last entry.
void replica::push(pending_entry entry) {
    raft_.appended(entry.position, term_of(entry.bytes), entry.after.next);
    tail_ = entry.after;
    unapplied_.push_back(std::move(entry));
}

// A second flush may begin before the first has ended when they share no block of the disk, because a block
// is written as a whole, and no step into a new segment lies between them.
std::optional<unsigned> replica::free_lane() const {
    unsigned busy = 0; // a bit a lane
    for (const auto& one : flushing_)
        if (!one.durable)
            busy |= 1U << one.lane;
    const auto lane = static_cast<unsigned>(std::countr_one(busy));
    if (lane >= settings_.flushes_at_once)
        return std::nullopt;
    if (!flushing_.empty() && (flushing_.back().until.value() % storage::block_size != 0 ||
                               flushing_.front().first < tail_.geometry.first))
        return std::nullopt;
    return lane;
}

// An entry without meaning takes what is left of the block.
void replica::fill_block() {
    const auto room = align_up(tail_.next.value(), storage::block_size) - tail_.next.value();
    if (room == 0)
        return;
    entry_draft draft;
    if (room > storage::entry_header_size) {
        const std::vector<std::byte> zeros(room - storage::entry_header_size - command_header_size);
        draft.add(command_kind::idle_mark, zeros);
    } else {
        draft = entry_draft{0};
    }
    append(std::move(draft), std::nullopt, tail_.timestamp);
}

void replica::start_flush(effects& out) {
    if (fenced_ || truncating_ || unflushed_from_ == unapplied_.size())
        return;
    const auto lane = free_lane();
    if (!lane)
        return;
    if (leading() && settings_.flushes_at_once > 1 && tail_.next - handed_ >= filled_up_from)
        fill_block();
    flush_request request;
    request.lane = *lane;
    request.first = unapplied_[unflushed_from_].position;
    request.until = tail_.next;
    request.entries.reserve(unapplied_.size() - unflushed_from_);
    for (; unflushed_from_ < unapplied_.size(); ++unflushed_from_)
        request.entries.push_back(unapplied_[unflushed_from_].bytes);
    handed_ = request.until;
    flushing_.push_back({request.first, request.until, request.lane, std::nullopt});
    out.flush = std::move(request);
    if (leading())
        replicate(out);
}

void replica::on(const entries_flushed& happened, effects& out) {
    if (fenced_)
        return;
    HOLDFAST_CHECK(happened.durable <= happened.until && (truncating_ || happened.until <= handed_));
    const bool were_under_way = !flushing_.empty();
    if (finish_flushes(happened)) {
        raft_.flushed(flushed_);
        if (!leading())
            answer(sequence_, out);
    }
    if (truncating_) {
        if (were_under_way && flushing_.empty()) // not again when a late flush ends meanwhile
            out.truncate = *truncating_;
        return;
    }
    apply_committed(out);
    start_flush(out);
    hand_over_when_done(out);
}

// True when `flushed_` moved: only over what has no hole before it.
bool replica::finish_flushes(const entries_flushed& happened) {
    const auto which = std::find_if(flushing_.begin(), flushing_.end(),
                                    [&](const auto& one) { return one.until == happened.until; });
    if (which == flushing_.end()) { // a late flush of ASYNC_FLUSH
        durable_ = std::max(durable_, std::min(happened.durable, flushed_));
        return false;
    }
    which->durable = happened.durable;
    const auto before = flushed_;
    const auto kept = truncating_.value_or(handed_); // what was cut meanwhile does not count
    for (; !flushing_.empty() && flushing_.front().durable; flushing_.pop_front()) {
        flushed_ = std::min(flushing_.front().until, kept);
        durable_ = std::max(durable_, std::min(*flushing_.front().durable, flushed_));
    }
    return flushed_ > before;
}

void replica::apply_committed(effects& out) {
    const auto until = leading() ? raft_.commit() : std::min(raft_.commit(), flushed_);
    while (!fenced_ && unflushed_from_ > 0 && unapplied_.front().after.next <= until) {
        const auto entry = std::move(unapplied_.front());
        unapplied_.pop_front();
        --unflushed_from_;
        state_.note_term(entry.position, term_of(entry.bytes));
        if (seeded_from_) {
            pass_over(entry, out);
        } else if (!entry.filler) {
            applied_batch batch{entry.ticket, entry.position, {}};
            if (auto outcome = state_.apply(entry.bytes.view(), entry.position, out.changes, batch.offsets);
                !outcome.ok()) {
                fence(outcome.failure(), out);
                break; // what came before it is applied, and will be shown
            }
            if (entry.has_ticket)
                out.applied.push_back(std::move(batch));
        }
        applied_tail_ = entry.after;
        last_applied_entry_ = entry.position;
    }
    while (members_.size() > 1 && members_[1].end <= applied())
        members_.erase(members_.begin());
    state_.collect_runs(out.changes);
}

// A failed flush tells nothing about what is on the disk, and a second try may report success for bytes that
// the kernel has already dropped. So there is no second try: this replica never appends again.
void replica::on(const flush_failed& happened, effects& out) {
    fence(happened.reason, out);
}

void replica::fence(error reason, effects& out) {
    if (fenced_)
        return;
    fenced_ = true;
    out.fenced = std::move(reason);
    consensus::actions actions;
    raft_.retire(actions);
    out.was_deposed = out.was_deposed || actions.was_deposed;
    pass_on(actions.messages, out);
    settle_standing(out);
}

// When the log falls silent, one small entry more says that the entries before it were flushed. With it, rot
// in the last answered messages can be told from a torn write, which only ever hits what was not answered.
void replica::on(const idled& happened, effects& out) {
    if (!leading() || stopping_ || !flushing_.empty() || idle_mark_ || !unapplied_.empty() ||
        durable_ < tail_.next)
        return;
    entry_draft draft{command_footprint(0)};
    draft.add(command_kind::idle_mark, byte_view{});
    append(std::move(draft), std::nullopt, happened.now);
    idle_mark_ = true;
    start_flush(out);
}

void replica::on(const stopping&, effects& out) {
    stopping_ = true;
    hand_over_when_done(out);
}

} // namespace holdfast::broker
