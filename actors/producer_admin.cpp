#include "actors/producer_admin.hpp"

#include "protocol/admin_bodies.hpp"
#include "protocol/requests.hpp"

#include <chrono>
#include <string>

namespace holdfast::actors {
namespace {

using protocol::response_code;

protocol::client_connection connection_of(const broker::producer_client& client) {
    return {client.client_id, client.address, client.language, client.version};
}

void producers_of_group(const session_environment& environment, const protocol::remoting_command& command,
                        byte_buffer& out) {
    const auto to = protocol::answer_to::of(command);
    const auto request = protocol::decode_header<protocol::get_producer_connections_request>(command);
    if (!request.ok())
        return protocol::append_failure(out, to, response_code::system_error, request.failure().message);
    std::vector<protocol::client_connection> connections;
    for (const auto& known : environment.producers->clients_of(request->producer_group))
        connections.push_back(connection_of(known.client));
    if (connections.empty())
        return protocol::append_failure(out, to, response_code::system_error,
                                        "no producer of the group " + std::string{request->producer_group} +
                                            " is connected");
    protocol::append_success(out, to, as_bytes(protocol::encode_producer_connections(connections)));
}

void all_producers(const session_environment& environment, producer_connections::time_point now,
                   const protocol::remoting_command& command, byte_buffer& out) {
    protocol::producer_table table;
    for (const auto& group : environment.producers->groups())
        for (const auto& known : environment.producers->clients_of(group)) {
            const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(now - known.heard);
            table[group].push_back({connection_of(known.client), environment.wall_clock() - ago.count()});
        }
    protocol::append_success(out, protocol::answer_to::of(command),
                             as_bytes(protocol::encode_producer_table(table)));
}

} // namespace

void answer_about_producers(const session_environment& environment, producer_connections::time_point now,
                            const protocol::remoting_command& command, byte_buffer& out) {
    if (command.request() == protocol::request_code::get_all_producer_info)
        all_producers(environment, now, command, out);
    else
        producers_of_group(environment, command, out);
}

} // namespace holdfast::actors
