#include "actors/mender.hpp"

#include <algorithm>
#include <chrono>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 50ms;
constexpr broker::steady_ms rest = 10s;

} // namespace

mender_environment mender_among_peers(const config::node_config& config, const placement& links) {
    mender_environment environment;
    for (const auto& peer : config.peers)
        environment.settings.peers.push_back(peer.name);
    environment.send_to_peer = [&links](const std::string& peer, peer_frame frame) {
        return links.send(peer, std::move(frame));
    };
    return environment;
}

void mender_state::set_up(mender_actor::pointer self, mender_environment environment) {
    self_ = self;
    environment_ = std::move(environment);
    repair_.emplace(*environment_.segments, environment_.settings);
}

broker::steady_ms mender_state::now() const {
    return std::chrono::duration_cast<broker::steady_ms>(self_->clock().now().time_since_epoch());
}

void mender_state::start() {
    begin(environment_.order);
}

// The whole segment is looked through: what was read there may lead astray, and rot is seldom alone.
void mender_state::rot(log_position position) {
    if (repair_->is_active() || now() < rests_until_)
        return;
    const auto around = environment_.segments->find(position);
    const log_position limit{align_down(environment_.settled_until().value(), storage::block_size)};
    if (!around || position >= limit)
        return;
    begin({{around->first(), std::min(around->last(), limit), limit}, limit});
}

void mender_state::begin(const broker::repair_order& order) {
    mended_ = 0;
    carry_out(repair_->begin(order, now()));
    if (repair_->is_active())
        self_->delayed_send(self_, tick_interval, tick_atom::value);
}

void mender_state::tick() {
    carry_out(repair_->ticked(now()));
    if (repair_->is_active())
        self_->delayed_send(self_, tick_interval, tick_atom::value);
}

void mender_state::found() {
    carry_out(repair_->peer_found(now()));
}

void mender_state::received(const std::string& from, const peer_frame& frame) {
    if (!broker::is_log_bytes_message(frame.head))
        return; // Raft's: a node with a rotten log takes no part
    const auto body = frame.body.empty() ? shared_bytes{} : frame.body.front();
    const auto message = broker::decode_log_bytes_message(frame.head, body);
    if (!message.ok()) {
        spdlog::warn("{} sent {}", from, message.failure().message);
        return;
    }
    if (const auto* const answer = std::get_if<broker::log_bytes_answer>(&*message)) {
        carry_out(repair_->answered(from, *answer, body.view(), now()));
        return;
    }
    auto has = broker::find_log_bytes(*environment_.reader, *environment_.segments,
                                      std::get<broker::log_bytes_request>(*message));
    environment_.send_to_peer(from, {broker::encode_head(has.answer), std::move(has.bytes)});
}

void mender_state::carry_out(broker::repair_effects effects) {
    for (;;) {
        for (const auto& [where, from] : effects.done) {
            ++mended_;
            spdlog::warn("the log was rotten at [{}, {}); {} had what stood there, and it is put right",
                         where.first.value(), where.last.value(), from);
        }
        if (effects.end) {
            if (effects.end->result != broker::repair_result::sound || mended_ == 0)
                rests_until_ = now() + rest;
            environment_.on_end(*effects.end);
        }
        if (!effects.ask)
            return;
        if (environment_.send_to_peer(effects.ask->to, {broker::encode_head(effects.ask->what), {}}))
            return;
        effects = repair_->not_sent(now());
    }
}

mender_actor::behavior_type mender(mender_actor::stateful_pointer<mender_state> self,
                                   mender_environment environment) {
    self->state.set_up(self, std::move(environment));
    return {
        [self](start_atom) { self->state.start(); },
        [self](rot_atom, log_position position) { self->state.rot(position); },
        [self](tick_atom) { self->state.tick(); },
        [self](peer_atom, const std::string& from, const peer_frame& frame) {
            self->state.received(from, frame);
        },
        [self](found_atom, const std::string&, const std::string&, const std::string&) {
            self->state.found();
        },
        [](lost_atom, const std::string&) {},
    };
}

} // namespace holdfast::actors
