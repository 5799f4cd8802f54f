// The commit log's part in its group: what comes from the other nodes goes into the replica, what the replica
// says to them goes out.
#include "actors/cluster_hello.hpp"
#include "actors/commit_log.hpp"
#include "broker/log_bytes.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

broker::steady_ms commit_log_state::steady_now() const {
    return std::chrono::duration_cast<broker::steady_ms>(self_->clock().now().time_since_epoch());
}

void commit_log_state::raft_tick() {
    self_->delayed_send(self_, settings_.raft_interval, raft_atom::value);
    carry_out(replica_->step(broker::ticked{steady_now()}));
    publish_standing();
    if (stopping_)
        finish_stopping();
}

void commit_log_state::received(const std::string& from, const peer_frame& frame) {
    if (broker::is_log_bytes_message(frame.head)) {
        environment_.on_log_bytes(from, frame);
        return;
    }
    auto message =
        consensus::decode_message(frame.head, frame.body.empty() ? shared_bytes{} : frame.body.front());
    if (!message.ok() || message->from.name != from || message->to != replica_->raft().self().name) {
        spdlog::warn("{} sent what is no message of its own to this node: {}", from,
                     message.ok() ? "wrong names" : message.failure().message);
        return;
    }
    carry_out(replica_->step(broker::message_received{std::move(*message), steady_now()}));
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
    environment_.cluster->set_address(peer, said->address);
    carry_out(replica_->step(broker::peer_found{{peer, incarnation}, said->has_empty_log, steady_now()}));
}

void commit_log_state::lost(const std::string& peer) {
    carry_out(replica_->step(broker::peer_lost{peer, steady_now()}));
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
        peer_frame frame;
        frame.head = consensus::encode_head(message);
        if (auto* const request = std::get_if<consensus::append_request>(&message.body))
            frame.body = std::move(request->entries);
        environment_.send_to_peer(message.to, std::move(frame));
    }
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
    for (const auto& [name, follower] : raft.followers())
        standing.followers[name] = {follower.matched, now - follower.heard, !follower.is_probing};
    environment_.cluster->publish(std::move(standing));
    if (raft.leader() != leader_told_) {
        leader_told_ = raft.leader();
        if (!leader_told_.empty())
            spdlog::info("{} leads the group in term {}", leader_told_, raft.term().value());
    }
}

} // namespace holdfast::actors
