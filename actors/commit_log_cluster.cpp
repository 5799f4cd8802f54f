// The commit log's part in its group: what comes from the other nodes goes into the replica, what the replica
// says to them goes out.
#include "actors/cluster_hello.hpp"
#include "actors/commit_log.hpp"
#include "broker/log_bytes.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
broker::steady_ms commit_log_state::steady_now() const {
    return std::chrono::duration_cast<broker::steady_ms>(self_->clock().now().time_since_epoch());
}

void commit_log_state::raft_tick() {
    self_->delayed_send(self_, settings_.raft_interval, raft_atom::value);
    watch_room();
    tell_time(steady_now());
    watch_progress();
    publish_standing();
    commit_told_ = replica_->commit_told();
    if (stopping_)
        finish_stopping();
}

void commit_log_state::tell_time(broker::steady_ms now) {
    raft_ticked_ = now;
    carry_out(replica_->step(broker::ticked{now}));
}

void commit_log_state::received(const std::string& from, const peer_frame& frame) {
    if (broker::is_log_bytes_message(frame.head)) {
        environment_.on_log_bytes(from, frame);
        return;
    }
    auto message =
        frames_from_[from].receive(frame.head, frame.body.empty() ? shared_bytes{} : frame.body.front());
    if (!message.ok() || message->from.name != from || message->to != replica_->raft().self().name) {
        spdlog::warn("{} sent what is no message of its own to this node: {}", from,
                     message.ok() ? "wrong names" : message.failure().message);
        return;
    }
    // Who stood still judges by what it had heard before, not by late answers, whether it leads.
    const auto now = steady_now();
    if (now - raft_ticked_ > 10 * settings_.raft_interval)
        tell_time(now);
    carry_out(replica_->step(broker::message_received{std::move(*message), now}));
}

void commit_log_state::found(const std::string& peer, const std::string& incarnation,
                             const std::string& hello) {
    const auto said = decode_cluster_hello(hello);
    if (!said) {
        spdlog::error("{} says hello in words that this version does not know: \"{}\"", peer, hello);
        return;
    }
    if (said->segment_bytes != settings_.segment_bytes) {
        spdlog::error(
            "{} has mappedFileSizeCommitLog = {}, this node {}: the logs of a group can only be the "
            "same with the same value; nothing is said to it until it is restarted with that",
            peer, said->segment_bytes, settings_.segment_bytes);
        return;
    }
    environment_.cluster->found(peer, {said->address, said->serves_reads, said->is_full});
    // What is on its way to it is not lost because it says something new.
    const met_peer now{incarnation, said->has_empty_log};
    if (const auto before = met_.find(peer); before != met_.end() && before->second == now)
        return;
    met_[peer] = now;
    carry_out(replica_->step(broker::peer_found{{peer, incarnation}, said->has_empty_log, steady_now()}));
}

void commit_log_state::lost(const std::string& peer) {
    environment_.cluster->lost(peer);
    met_.erase(peer);
    frames_from_.erase(peer); // the first half of a large message would be kept for nothing
    carry_out(replica_->step(broker::peer_lost{peer, steady_now()}));
}

caf::result<bool> commit_log_state::standing() {
    const broker::standing_ticket ticket{next_standing_++};
    auto promise = self_->make_response_promise<bool>();
    asking_.emplace(ticket, promise);
    carry_out(replica_->step(broker::standing_asked{ticket, steady_now()}));
    return promise;
}

void commit_log_state::read(broker::entries_read& entries) {
    carry_out(replica_->step(std::move(entries)));
}

void commit_log_state::cut(const flush_report& report) {
    if (report.failure) {
        carry_out(replica_->step(broker::flush_failed{*report.failure}));
        return;
    }
    spdlog::info("the log was cut at {}: another leader's entries take the place of what was behind it",
                 report.until.value());
    carry_out(replica_->step(broker::log_truncated{report.until}));
}

void commit_log_state::send_to_peers(std::vector<consensus::message> messages) {
    for (auto& message : messages) {
        const auto to = message.to;
        for (auto& frame : consensus::to_frames(std::move(message)))
            environment_.send_to_peer(to, {std::move(frame.head), std::move(frame.body)});
    }
}

// What a leader sends must not be written down to the last byte: that would be a failed write.
void commit_log_state::watch_room() {
    const auto until = environment_.room_until();
    if (until == room_told_)
        return;
    if (until && !room_told_ && !replica_->leading())
        spdlog::error(
            "the disk has no room for the log's next segment: this node takes nothing more from its "
            "leader than up to {}, until there is room",
            until->value());
    else if (!until)
        spdlog::info("the disk has room for the log's next segment again");
    room_told_ = until;
    carry_out(replica_->step(broker::room_changed{until}));
}

// Followers without room are heard, so a leader that has no others would take messages and answer none.
void commit_log_state::watch_progress() {
    const auto now = steady_now();
    const bool waits = replica_->ready() && replica_->appended() > replica_->committed();
    if (!waits || replica_->committed() != stands_at_) {
        stands_at_ = replica_->committed();
        stands_since_ = now;
    }
    const bool is_stalled = now - stands_since_ > settings_.stall_limit;
    if (is_stalled == stalled_told_)
        return;
    stalled_told_ = is_stalled;
    if (is_stalled)
        spdlog::error(
            "messages are refused from now on: no majority of the group has taken anything for {} s",
            settings_.stall_limit.count() / 1'000);
    else
        spdlog::info("a majority of the group takes messages again");
    environment_.on_stalled(is_stalled);
}

// Who refuses messages for lack of room lets somebody lead who need not.
void commit_log_state::watch_fullness() {
    const bool is_full = environment_.is_full();
    if (is_full != full_told_)
        environment_.on_full(is_full);
    full_told_ = is_full;
    const auto now = steady_now();
    const auto longest_silence = 30 * settings_.raft_interval; // some heartbeats
    const auto& raft = replica_->raft();
    std::vector<broker::full_disk_rule::follower> followers;
    for (const auto& [name, node] : environment_.cluster->nodes()) {
        const auto seen = raft.followers().find(name);
        const bool is_caught_up = seen != raft.followers().end() && raft.is_member(name) &&
                                  !seen->second.is_probing && seen->second.matched >= raft.commit() &&
                                  now - seen->second.heard < longest_silence;
        if (name != raft.self().name)
            followers.push_back({name, is_caught_up, node.is_reached && !node.is_full});
    }
    const auto to = environment_.full_disk->decide(replica_->ready() && !stopping_, is_full, followers, now);
    if (!to)
        return;
    spdlog::warn("this node's disk is full: {} shall lead, which has room", *to);
    carry_out(replica_->step(broker::lead_given{*to}));
}

void commit_log_state::publish_standing() {
    const auto& raft = replica_->raft();
    cluster_standing standing;
    standing.role = raft.current_role();
    standing.is_member = raft.is_member();
    standing.term = raft.term();
    standing.leader = raft.leader();
    standing.members = raft.members();
    const auto now = steady_now();
    if (!standing.leader.empty())
        leaderless_since_.reset();
    else if (!leaderless_since_)
        leaderless_since_ = now;
    standing.leaderless_for = now - leaderless_since_.value_or(now);
    has_had_leader_ = has_had_leader_ || !standing.leader.empty();
    const bool is_deposed = standing.leader.empty() && leader_told_ == raft.self().name;
    standing.is_lagging =
        !has_had_leader_ || is_deposed || replica_->is_seeding() || replica_->applied() < commit_told_;
    for (const auto& [name, follower] : raft.followers()) {
        standing.followers[name] = {follower.matched, now - follower.heard, !follower.is_probing,
                                    raft.is_member(name)};
    }
    environment_.cluster->publish(std::move(standing));
    if (!raft.leader().empty() && (raft.leader() != leader_told_ || raft.term() != term_told_)) {
        leader_told_ = raft.leader();
        term_told_ = raft.term();
        spdlog::info("{} leads the group in term {}", leader_told_, raft.term().value());
    }
}

} // namespace holdfast::actors
