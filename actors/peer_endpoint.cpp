#include "actors/peer_endpoint.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

// Many hellos: they may wait behind large frames.
constexpr auto silence_deadline = 10s;

struct endpoint_state {
    std::shared_ptr<peer_directory> directory;
    cluster_events_actor receiver;
    peer_introduction peer;
    bool has_met = false;
    bool heard_of = false; // since the last look
};

using endpoint_body = peer_endpoint_actor::extend<caf::reacts_to<check_atom>>;
using endpoint_pointer = endpoint_body::stateful_pointer<endpoint_state>;

void greeted(endpoint_pointer self, const std::string& hello) {
    auto& state = self->state;
    state.heard_of = true;
    const auto link = state.directory->link_to(state.peer.name);
    if (!state.has_met) {
        state.has_met = true;
        if (const auto& sender = self->current_sender()) {
            self->monitor(sender);
            if (link && sender->node() != self->system().node())
                self->send(*link, met_atom::value, sender->node());
        }
    }
    if (link)
        self->send(*link, hello_atom::value, state.peer.incarnation, hello);
}

endpoint_body::behavior_type peer_endpoint(endpoint_pointer self, std::shared_ptr<peer_directory> directory,
                                           cluster_events_actor receiver, peer_introduction peer) {
    auto& state = self->state;
    state.directory = std::move(directory);
    state.receiver = std::move(receiver);
    state.peer = std::move(peer);
    self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
    self->delayed_send(self, silence_deadline, check_atom::value);
    return {
        [self](peer_atom, peer_frame& frame) {
            self->state.directory->note_frame(self->state.peer.name);
            self->send(self->state.receiver, peer_atom::value, self->state.peer.name, std::move(frame));
        },
        [self](hello_atom, const std::string& hello) {
            greeted(self, hello);
            const auto& shared = *self->state.directory;
            return std::make_tuple(shared.settings().name, shared.settings().incarnation, shared.hello());
        },
        [self](check_atom) {
            if (!std::exchange(self->state.heard_of, false))
                return self->quit();
            self->delayed_send(self, silence_deadline, check_atom::value);
        },
    };
}

// Bytes from the wire, on their way into the log.
std::string printable(std::string text) {
    constexpr std::size_t most = 100;
    text.resize(std::min(text.size(), most));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return text;
}

std::optional<peer_introduction> parse_introduction(const caf::message& said) {
    if (!said.match_elements<std::string, std::string, std::string, std::string, std::uint32_t,
                             std::string>())
        return std::nullopt;
    return peer_introduction{said.get_as<std::string>(0),   said.get_as<std::string>(1),
                             said.get_as<std::string>(2),   said.get_as<std::string>(3),
                             said.get_as<std::uint32_t>(4), said.get_as<std::string>(5)};
}

caf::actor_factory_result admit(caf::actor_system& system, const std::shared_ptr<peer_directory>& directory,
                                const caf::message& said) {
    auto peer = parse_introduction(said);
    if (!peer) {
        if (directory->is_news({}, {}))
            spdlog::warn("cluster: a node that introduces itself in unknown words is refused: run the same "
                         "release on all nodes");
        return {};
    }
    const auto why = directory->refusal(*peer);
    const auto receiver = directory->receiver();
    if (!why.empty() || !receiver) {
        if (directory->is_news(peer->name, why))
            spdlog::warn("cluster: node '{}' is refused: {}", printable(peer->name), why);
        return {};
    }
    const auto name = peer->name;
    const peer_endpoint_actor endpoint = system.spawn(peer_endpoint, directory, *receiver, *std::move(peer));
    if (const auto before = directory->endpoint_spawned(name, endpoint))
        caf::anon_send_exit(*before, caf::exit_reason::user_shutdown);
    return {caf::actor_cast<caf::strong_actor_ptr>(endpoint), system.message_types(endpoint)};
}

} // namespace

void register_peer_endpoint(caf::actor_system_config& config, std::shared_ptr<peer_directory> directory) {
    config.add_message_type<peer_frame>("holdfast::peer_frame");
    config.add_actor_factory(peer_endpoint_type, [directory = std::move(directory)](
                                                     caf::actor_config& spawning, caf::message& said) {
        return admit(spawning.host->system(), directory, said);
    });
}

caf::message introduce(const peer_directory& directory) {
    const auto& own = directory.settings();
    return caf::make_message(own.group, own.cluster, own.name, own.incarnation, peer_protocol_version,
                             directory.hello());
}

} // namespace holdfast::actors
