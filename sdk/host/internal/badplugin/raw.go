//go:build unix

package main

import (
	"context"
	"errors"
	"io"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
)

// rawPlugin is what go-plugin wants.
type rawPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	server *rawServer
}

func (p *rawPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	if p.server != nil {
		pluginv1.RegisterPluginServiceServer(s, p.server.plugin)
		pluginv1.RegisterBackendServiceServer(s, p.server)
	}
	return nil
}

func (*rawPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("not the host")
}

// rawServer breaks the contract of the stream.
type rawServer struct {
	pluginv1.UnimplementedBackendServiceServer
	plugin pluginv1.PluginServiceServer
	mode   string
}

func (s *rawServer) Run(stream pluginv1.BackendService_RunServer) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch m := message.GetMessage().(type) {
		case *pluginv1.RunRequest_Start:
			if s.mode == "ends-early" {
				return nil
			}
			for _, o := range s.answers(m.Start.GetSeq()) {
				if err := stream.Send(&pluginv1.RunResponse{Message: &pluginv1.RunResponse_Outcome{Outcome: o}}); err != nil {
					return err
				}
			}
		case *pluginv1.RunRequest_Drain:
			if s.mode == "never-answers" {
				continue // nor ever ends
			}
			return nil
		}
	}
}

func (s *rawServer) answers(seq uint64) []*pluginv1.Outcome {
	fine := &pluginv1.Outcome{Seq: seq, Status: pluginv1.Status_STATUS_OK}
	switch s.mode {
	case "answers-twice":
		return []*pluginv1.Outcome{fine, fine}
	case "answers-unknown":
		return []*pluginv1.Outcome{{Seq: seq + 1_000_000, Status: pluginv1.Status_STATUS_OK}, fine}
	case "odd-status":
		return []*pluginv1.Outcome{{Seq: seq, Status: 77}}
	case "hostile-events":
		return []*pluginv1.Outcome{{Seq: seq, Status: pluginv1.Status_STATUS_OK, Events: &pluginv1.Events{Kinds: make([]uint32, 4<<20)}}}
	}
	return nil
}
