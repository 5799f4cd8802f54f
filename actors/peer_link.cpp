#include "actors/peer_link.hpp"

#include "actors/peer_endpoint.hpp"
#include "network/tcp_probe.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

constexpr auto probe_timeout = 1s;
constexpr auto request_timeout = 3s;
// A hello waits behind the large frames that were sent before it. While the peer's frames come in they are
// its sign of life; but not for ever, since our endpoint there may have ended all the same.
constexpr auto longest_silence = 3s;
constexpr auto hello_timeout = 10s;
// Often enough to notice an endpoint that has ended unknown to us: CAF drops what is sent to it in silence.
constexpr auto check_interval = 500ms;
constexpr std::chrono::milliseconds first_back_off = 50ms;
constexpr std::chrono::milliseconds last_back_off = 1s;
// CAF does not bear two nodes that dial each other at the same time: each keeps the connection that it made
// itself, hears nothing on it and gives it up, and so again and again. So the node whose name sorts first
// dials, and the other one only when nothing has come of that for so long.
constexpr std::chrono::milliseconds head_start = 500ms; // after the start
constexpr std::chrono::milliseconds stand_by = 3s;      // later

using link_pointer = peer_link_actor::stateful_pointer<peer_link_state>;

void dial_after(link_pointer self, std::chrono::milliseconds delay) {
    if (!std::exchange(self->state.will_dial, true))
        self->delayed_send(self, delay, dial_atom::value);
}

bool dials_first(const peer_link_state& state) {
    return state.directory->settings().name < state.peer.name;
}

void failed(link_pointer self, const std::string& why) {
    auto& state = self->state;
    state.is_dialling = false;
    if (state.last_failure != why) {
        state.last_failure = why;
        spdlog::info("cluster: no link to '{}' at {}:{} yet: {}", state.peer.name, state.peer.host,
                     state.peer.port, why);
    }
    state.back_off =
        dials_first(state) ? std::clamp(2 * state.back_off, first_back_off, last_back_off) : stand_by;
    // Up to a quarter more or less, so that nodes do not go on dialling at the same instant.
    const auto quarter = static_cast<int>(state.back_off.count() / 4);
    const auto jitter = std::uniform_int_distribution{-quarter, quarter}(state.random);
    dial_after(self, state.back_off + std::chrono::milliseconds{jitter});
}

void lost(link_pointer self, const std::string& why) {
    auto& state = self->state;
    if (!state.endpoint)
        return;
    state.directory->disconnected(state.peer.name);
    // If it still lives there, it is not ours any more.
    self->send_exit(*state.endpoint, caf::exit_reason::user_shutdown);
    state.endpoint.reset();
    spdlog::warn("cluster: lost the link to '{}': {}", state.peer.name, why);
    self->send(state.receiver, lost_atom::value, state.peer.name);
    dial_after(self, dials_first(state) ? first_back_off : stand_by);
}

void found(link_pointer self, peer_endpoint_actor endpoint, std::string incarnation, std::string hello) {
    auto& state = self->state;
    state.is_dialling = false;
    state.back_off = 0ms;
    state.last_failure.clear();
    state.endpoint = std::move(endpoint);
    state.asked_at.reset();
    state.incarnation = std::move(incarnation);
    state.hello = std::move(hello);
    spdlog::info("cluster: linked to '{}' at {}:{}", state.peer.name, state.peer.host, state.peer.port);
    state.directory->connected(state.peer.name, *state.endpoint);
    self->send(state.receiver, found_atom::value, state.peer.name, state.incarnation, state.hello);
}

void hello_heard(link_pointer self, const std::string& incarnation, const std::string& hello) {
    auto& state = self->state;
    if (!state.endpoint || state.incarnation != incarnation || state.hello == hello)
        return;
    state.hello = hello;
    self->send(state.receiver, found_atom::value, state.peer.name, state.incarnation, state.hello);
}

void greet(link_pointer self, peer_endpoint_actor endpoint) {
    self->monitor(endpoint);
    self->request(endpoint, request_timeout, hello_atom::value, self->state.directory->hello())
        .then(
            [=](const std::string& name, const std::string& incarnation, const std::string& hello) {
                if (name == self->state.peer.name)
                    return found(self, endpoint, incarnation, hello);
                self->send_exit(endpoint, caf::exit_reason::user_shutdown);
                failed(self, "another node ('" + name + "') answers there: compare peers and nodeName");
            },
            [=](const caf::error& failure) {
                failed(self, "it does not answer (" + self->system().render(failure) + ")");
            });
}

void place(link_pointer self, const caf::node_id& node) {
    auto& state = self->state;
    if (node == self->system().node())
        return failed(self, "that is this node itself: compare peers and nodeName");
    self->request(state.connector, request_timeout, caf::spawn_atom::value, node,
                  std::string{peer_endpoint_type}, introduce(*state.directory),
                  self->system().message_types<peer_endpoint_actor>())
        .then(
            [=](const caf::strong_actor_ptr& endpoint) {
                if (!endpoint)
                    return failed(self, "it gave no actor");
                greet(self, caf::actor_cast<peer_endpoint_actor>(endpoint));
            },
            [=](const caf::error& failure) {
                failed(self,
                       "it refuses this node, its log says why (" + self->system().render(failure) + ")");
            });
}

void dial(link_pointer self) {
    auto& state = self->state;
    if (state.endpoint || state.is_dialling)
        return;
    state.is_dialling = true;
    if (const auto reachable = network::probe_tcp(state.peer.host, state.peer.port, probe_timeout);
        !reachable.ok())
        return failed(self, reachable.failure().message);
    self->request(state.connector, request_timeout, caf::connect_atom::value, state.peer.host,
                  state.peer.port)
        .then([=](const caf::node_id& node, const caf::strong_actor_ptr&,
                  const std::set<std::string>&) { place(self, node); },
              [=](const caf::error& failure) {
                  failed(self, "it accepts connections but no node answers (" +
                                   self->system().render(failure) + ")");
              });
}

bool is_silent(const peer_link_state& state) {
    const auto now = std::chrono::steady_clock::now();
    const auto heard = std::max(*state.asked_at, state.directory->frame_came(state.peer.name));
    return now - heard >= longest_silence;
}

void check(link_pointer self) {
    auto& state = self->state;
    if (!state.endpoint)
        return;
    if (state.asked_at) {
        if (is_silent(state))
            lost(self, "it does not answer");
        return;
    }
    state.asked_at = std::chrono::steady_clock::now();
    const auto checked = *state.endpoint;
    self->request(checked, hello_timeout, hello_atom::value, state.directory->hello())
        .then(
            [=](const std::string&, const std::string& incarnation, const std::string& hello) {
                if (self->state.endpoint != checked)
                    return;
                self->state.asked_at.reset();
                hello_heard(self, incarnation, hello);
            },
            [=](const caf::error& failure) {
                if (self->state.endpoint == checked)
                    lost(self, "it does not answer (" + self->system().render(failure) + ")");
            });
}

} // namespace

peer_link_actor::behavior_type peer_link(link_pointer self, std::shared_ptr<peer_directory> directory,
                                         cluster_events_actor receiver, cluster_peer peer,
                                         caf::io::middleman_actor connector,
                                         std::shared_ptr<std::latch> ended) {
    // The first one to want to know is the last one to be told.
    self->attach_functor([ended = std::move(ended)](const caf::error&) { ended->count_down(); });
    auto& state = self->state;
    state.directory = std::move(directory);
    state.receiver = std::move(receiver);
    state.peer = std::move(peer);
    state.connector = std::move(connector);
    self->set_down_handler([self](const caf::down_msg& down) {
        if (self->state.endpoint && self->state.endpoint->address() == down.source)
            lost(self,
                 "the connection or its endpoint there ended (" + self->system().render(down.reason) + ")");
    });
    dial_after(self, dials_first(state) ? 0ms : head_start);
    self->delayed_send(self, check_interval, check_atom::value);
    return {
        [self](dial_atom) {
            self->state.will_dial = false;
            dial(self);
        },
        [self](check_atom) {
            self->delayed_send(self, check_interval, check_atom::value);
            check(self);
        },
        [self](hello_atom) { check(self); },
        [self](met_atom, const caf::node_id& node) {
            if (self->state.endpoint || std::exchange(self->state.is_dialling, true))
                return;
            place(self, node);
        },
        [self](hello_atom, const std::string& incarnation, const std::string& hello) {
            hello_heard(self, incarnation, hello);
        },
    };
}

} // namespace holdfast::actors
