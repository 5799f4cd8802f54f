// What a replica does as a follower: the AppendEntries receiver (thesis figure 3.1 and section 3.5).
#include "broker/command.hpp"
#include "broker/members.hpp"
#include "broker/replica.hpp"
#include "broker/snapshot.hpp"
#include "consensus/defect.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {
namespace {

// The bytes of a received entry are this replica's alone (message_received), and its flush mark is the one
// thing in an entry that is each replica's own.
void mark_flushed(const shared_bytes& entry, log_position flushed) {
    storage::patch_flushed({const_cast<std::byte*>(entry.data()), entry.size()}, flushed);
}

} // namespace

void replica::follow(const consensus::message& from, effects& out) {
    consensus::actions actions;
    const bool counts = raft_.hear_leader(from, now_, actions);
    carry_out(std::move(actions), out);
    if (!counts || fenced_)
        return;
    const auto& request = std::get<consensus::append_request>(from.body);
    if (followed_term_ != from.term) {
        followed_ = from.from.name;
        followed_term_ = from.term;
        sequence_ = 0;
        matched_ = committed();
    }
    sequence_ = std::max(sequence_, request.sequence);
    commit_told_ = std::max(commit_told_, request.commit);
    // While the disk's log is being cut nothing is said: the leader asks again.
    if (truncating_)
        return;
    if (!agrees(request)) {
        // The leader knows no term to compare with. At a segment's start its log begins there; elsewhere
        // retention has taken the place, and the refusal has it say where its log begins.
        if (request.previous_term == term_number{0} &&
            request.previous_end.value() % tail_.geometry.size == 0)
            return end_for_a_new_log(request.previous_end, out);
        // What this node has no room for the leader need not send again and again.
        if (is_out_of_room_ && request.previous_end > tail_.next)
            return answer(request.sequence, out);
        return reject(from, out);
    }
    const auto end_before = tail_.next;
    if (!take_entries(request, out))
        return;
    const bool is_news = tail_.next > end_before; // its flush will be reported
    if (raft_.follow_commit(std::min(request.commit, matched_)))
        apply_committed(out);
    start_flush(out);
    if (!is_news || consensus::built_in == consensus::defect::acknowledged_too_early)
        answer(request.sequence, out);
}

// The leader no longer has what is missing here. A log that lost its beginning has lost what this member may
// have promised about it, so it goes on as another member, which is fed before it counts.
void replica::begin_anew(const consensus::message& from, effects& out) {
    consensus::actions actions;
    const bool counts = raft_.hear_leader(from, now_, actions);
    carry_out(std::move(actions), out);
    const auto first = std::get<consensus::begin_request>(from.body).first;
    if (!counts || fenced_ || committed() >= first)
        return;
    end_for_a_new_log(first, out);
}

void replica::end_for_a_new_log(log_position first, effects& out) {
    has_ended_ = true;
    out.begin_at = first;
}

// Nothing can be applied yet; what counts is how far the log has come. With a snapshot behind it, and an
// entry that says so, a start finds all it needs. An older snapshot may need what lies before this log's
// beginning: retention took that away later.
void replica::pass_over(const pending_entry& entry, effects& out) {
    const auto header = storage::decode_entry_header(entry.bytes.view());
    if (snapshot_end_ && header->committed >= *snapshot_end_) {
        has_ended_ = true;
        out.is_seeded = true;
    }
    command_cursor cursor{entry.bytes.view(), storage::entry_header_size};
    while (!entry.filler && !snapshot_end_ && !cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return fence(command.failure(), out);
        if (command->header.kind != command_kind::trim)
            continue;
        const auto snapshot = decode_snapshot(command->payload);
        if (!snapshot.ok())
            return fence(snapshot.failure(), out);
        if (snapshot->first >= *seeded_from_)
            snapshot_end_ = entry.after.next;
    }
}

// Whether both logs are the same up to where the request's entries begin. What is committed is in every
// leader's log (Leader Completeness, thesis 3.6.3).
bool replica::agrees(const consensus::append_request& request) const {
    if (request.previous_end <= committed())
        return true;
    return request.previous_end <= tail_.next &&
           raft_.runs().term_before(request.previous_end) == request.previous_term;
}

// Says what there is beyond the commit, so that the leader finds in one step where the logs part.
void replica::reject(const consensus::message& from, effects& out) {
    consensus::append_answer answer;
    answer.commit = committed();
    answer.log_end = tail_.next;
    answer.sequence = std::get<consensus::append_request>(from.body).sequence;
    answer.runs = raft_.runs().beyond(committed(), consensus::most_runs + 1);
    if (answer.runs.size() > consensus::most_runs) {
        answer.log_end = answer.runs.back().first;
        answer.runs.pop_back();
    }
    out.messages.push_back(raft_.make(from.from.name, std::move(answer)));
}

// False when nothing is to be answered now.
bool replica::take_entries(const consensus::append_request& request, effects& out) {
    auto at = request.previous_end;
    for (const auto& bytes : request.entries) {
        const auto header = storage::decode_entry(bytes.view());
        if (!header.ok() || header->length != bytes.size() || header->position < at ||
            header->term > followed_term_)
            return false; // damaged on the way; it is sent again
        at = header->is_filler() ? header->end() : header->next();
        if (header->position < committed())
            continue;
        if (header->position < tail_.next) {
            if (raft_.runs().term_at(header->position) == header->term) {
                // It is here already. Where a filler's segment ends, the entry behind it says.
                matched_ = std::max(matched_, header->is_filler() ? header->position : at);
                continue;
            }
            cut_tail(header->position, out);
            return false;
        }
        const auto new_end = header->is_filler() ? tail_.geometry.last() : at;
        is_out_of_room_ = room_until_ && new_end > *room_until_;
        if (is_out_of_room_)
            break;
        if (auto wrong = misfit(*header)) {
            fence(std::move(*wrong), out);
            return false;
        }
        receive_entry(*header, bytes);
        matched_ = tail_.next;
    }
    matched_ = std::max(matched_, request.previous_end);
    return true;
}

// The leader hears that there is more with its next request: that is refused, as of any follower that lacks
// what is before it.
void replica::on(const room_changed& happened, effects&) {
    room_until_ = happened.until;
    is_out_of_room_ = false;
}

// The logs agree by position and term up to here, so this can only be damage or a bug: nothing may be built
// on it.
std::optional<error> replica::misfit(const storage::entry_header& header) const {
    const auto words = [&](const std::string& what) {
        return error{errc::corrupted, "the leader's entry at log position " +
                                          std::to_string(header.position.value()) + " " + what};
    };
    if (header.position != tail_.next)
        return words("does not follow this log, which ends at " + std::to_string(tail_.next.value()));
    const bool is_first = seeded_from_ == tail_.next;
    if (!is_first && header.previous_checksum != tail_.last_checksum)
        return words("is chained to other bytes than this log holds before it");
    const auto room_end =
        tail_.next < tail_.geometry.last() ? tail_.geometry.last() : tail_.next + tail_.geometry.next_size;
    if (header.end() > room_end)
        return words("does not fit into this node's segment: mappedFileSizeCommitLog must be the same on all "
                     "nodes of a group");
    return std::nullopt;
}

void replica::receive_entry(const storage::entry_header& header, const shared_bytes& bytes) {
    mark_flushed(bytes, durable_);
    place(header, bytes);
    idle_mark_ = false;
}

// A sealed entry at the log's end, from another node or from the disk.
void replica::place(const storage::entry_header& header, shared_bytes bytes) {
    pending_entry entry;
    entry.position = header.position;
    entry.after = tail_;
    if (tail_.next == tail_.geometry.last())
        entry.after.geometry = {tail_.next, tail_.geometry.next_size, tail_.geometry.next_size};
    entry.filler = header.is_filler();
    entry.after.next = entry.filler ? entry.after.geometry.last() : header.next();
    entry.after.last_checksum = header.checksum;
    entry.after.timestamp = header.timestamp;
    if (header.changes_members())
        note_members(bytes, entry.after.next);
    entry.bytes = std::move(bytes);
    push(std::move(entry));
}

void replica::note_members(const shared_bytes& entry, log_position end) {
    members_.push_back({end, members_in(entry.view())});
    raft_.set_members(members_.back().members);
}

void replica::answer(std::uint64_t sequence, effects& out) {
    if (raft_.leader().empty() || raft_.leader() != followed_ || raft_.term() != followed_term_)
        return;
    consensus::append_answer answer;
    answer.is_matched = true;
    answer.flushed = consensus::built_in == consensus::defect::acknowledged_too_early
                         ? matched_
                         : std::min(flushed_, matched_);
    answer.log_end = tail_.next;
    answer.commit = committed();
    answer.sequence = sequence;
    out.messages.push_back(raft_.make(followed_, std::move(answer)));
}

// A tail that another leader's entries take the place of (thesis 3.5). Nobody was answered for it, or it
// would be committed. What the flusher has of it must be gone from the disk before anything is written there:
// old entries behind new ones would look like damage to the next start.
void replica::cut_tail(log_position at, effects& out) {
    if (at < committed())
        return fence({errc::corrupted, "a leader wants to take back log position " +
                                           std::to_string(at.value()) + ", which is committed"},
                     out);
    drop_tail(at);
    if (at >= handed_)
        return;
    handed_ = at;
    truncating_ = at;
    if (flushing_.empty())
        out.truncate = at;
}

void replica::drop_tail(log_position at) {
    while (!unapplied_.empty() && unapplied_.back().position >= at)
        unapplied_.pop_back();
    tail_ = unapplied_.empty() ? applied_tail_ : unapplied_.back().after;
    HOLDFAST_CHECK(tail_.next == at);
    unflushed_from_ = std::min(unflushed_from_, unapplied_.size());
    is_out_of_room_ = false;
    matched_ = std::min(matched_, at);
    flushed_ = std::min(flushed_, at);
    durable_ = std::min(durable_, at);
    raft_.truncated(at);
    bool changed = false;
    for (; !members_.empty() && members_.back().end > at; changed = true)
        members_.pop_back();
    if (changed)
        raft_.set_members(members_.empty() ? std::vector<consensus::member>{} : members_.back().members);
}

void replica::on(const log_truncated& happened, effects& out) {
    if (fenced_)
        return;
    HOLDFAST_CHECK(truncating_ && *truncating_ == happened.at && flushing_.empty());
    truncating_.reset();
    start_flush(out);
}

} // namespace holdfast::broker
